"""Container output to CloudWatch Logs: one follower per container, from start to exit.

A follower also tells the reconciler that its container has ended, since the engine closes the
stream of lines at that moment; nobody polls for an exit.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from emulator.errors import EmulatorError
from emulator.launch.driver import Launcher
from emulator.logs import LogLine, capture

log = logging.getLogger(__name__)


class Followers:
    """The followers of all running containers, by handle."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._threads: dict[str, threading.Thread] = {}
        self._guard = threading.Lock()

    def follow(
        self,
        handle: str,
        *,
        sink: Callable[[Sequence[LogLine]], None],
        since: float,
        ended: Callable[[], None],
    ) -> None:
        """Pass on what the container writes after `since`; a second call changes nothing.

        If the engine stops giving the lines, `ended` is called too, and a further call goes on.

        Args:
            handle: the container.
            sink: takes lines in the order written.
            since: epoch seconds of the last line that an earlier run has passed on, else 0.
            ended: called once, when the last line has been passed on.
        """
        with self._guard:
            if handle in self._threads:
                return
            thread = threading.Thread(
                target=self._run,
                args=(handle, sink, since, ended),
                name=f"logs {handle[:12]}",
                daemon=True,
            )
            self._threads[handle] = thread
            thread.start()

    def following(self, handle: str) -> bool:
        """Say whether lines of this container may still come."""
        thread = self._threads.get(handle)
        return thread is not None and thread.is_alive()

    def finish(self, handle: str, timeout: float) -> None:
        """Wait up to `timeout` seconds until the last line is passed on, then forget it."""
        with self._guard:
            thread = self._threads.pop(handle, None)
        if thread is not None:
            thread.join(timeout)
            if thread.is_alive():
                log.warning("container %s: its last output may be missing", handle[:12])

    def _run(
        self,
        handle: str,
        sink: Callable[[Sequence[LogLine]], None],
        since: float,
        ended: Callable[[], None],
    ) -> None:
        try:
            capture(self._launcher.logs(handle, since=since), sink)
        except EmulatorError as error:
            log.warning("container %s: its output can't be read: %s", handle[:12], error)
            with self._guard:
                self._threads.pop(handle, None)
        except Exception:
            log.exception("container %s: its output can't be kept", handle[:12])
        finally:
            ended()
