"""One thread owns all imports, from the moment that requests may come.

Two threads that import one package tree at the same time can each find it half loaded, and a
module that failed to import fails for the rest of the run. So what is too slow to import before
the emulator serves is imported by the thread below, part by part in a fixed order. Whoever needs a
part waits for it; no other thread imports anything.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from emulator.errors import PermanentError

log = logging.getLogger(__name__)


class LoadingFailed(PermanentError):
    """A part of the emulator can't be loaded, so that this run is of no use."""


class Loading:
    """Loads parts, one after another, on a thread of its own.

    Args:
        parts: what loads each part, by its name, in the order of loading.
    """

    def __init__(self, parts: Mapping[str, Callable[[], object]]) -> None:
        self._parts = parts
        self._loaded: Mapping[str, Future[None]] = {name: Future() for name in parts}
        self._thread: threading.Thread | None = None
        self.stopping = False

    def start(self, on_failure: Callable[[PermanentError], object]) -> None:
        """Begin; `on_failure` is called on the loading thread for a part that can't be loaded."""
        self._thread = threading.Thread(
            target=self._load, args=(on_failure,), name="loading", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Load no further part, and return when the one under way is loaded."""
        self.stopping = True
        if self._thread is not None:
            self._thread.join()
            return
        # A start that failed early: nobody will load anything any more, and some may wait for it.
        for part in self._loaded.values():
            if not part.done():
                part.set_exception(LoadingFailed("The emulator ends."))

    def wait(self, part: str) -> None:
        """Return once a part is loaded.

        Raises:
            PermanentError: it says itself why it can't be loaded, for instance a damaged state.
            LoadingFailed: it can't be loaded, or it is not any more because the emulator ends.
        """
        self._loaded[part].result()

    def _load(self, on_failure: Callable[[PermanentError], object]) -> None:
        for name, load in self._parts.items():
            if self.stopping:
                self._loaded[name].set_exception(LoadingFailed("The emulator ends."))
                continue
            try:
                load()
            except BaseException as error:
                # Whatever it was, those who wait for the part must hear of it.
                failure = _named(name, error)
                self._loaded[name].set_exception(failure)
                on_failure(failure)
            else:
                self._loaded[name].set_result(None)


def _named(part: str, error: BaseException) -> PermanentError:
    """Return the failure of a part as a sentence; the log gets the traceback of a surprise."""
    if isinstance(error, PermanentError):
        return error
    log.error("%s can't be loaded", part, exc_info=error)
    return LoadingFailed(
        f"The emulator can't work: {part} can't be loaded ({type(error).__name__}: {error})."
    )
