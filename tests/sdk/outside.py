"""The world outside this machine, as a shell without a network has it: nobody answers."""

import socket
from types import TracebackType


class Outside:
    """An HTTPS proxy that never answers, and knows whether anybody called it."""

    def __enter__(self) -> "Outside":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def variables(self) -> dict[str, str]:
        """Return what leads every HTTPS request of a shell here."""
        url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return {"HTTPS_PROXY": url, "https_proxy": url}

    @property
    def called(self) -> bool:
        """Return whether a connection was made, which can be asked once."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True
