"""Which parts of the emulator do not work now, and why; asked by ``/_emulator/health``.

Whatever runs in the background either tells of its trouble here itself, and takes it back, or dies
of it: then its thread's name stands here, as nothing will take its place.
"""

import logging
import threading
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Health:
    """The troubles of all parts, by the part's name."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._former = threading.excepthook

    def troubled(self, part: str, reason: object) -> bool:
        """Note what a part suffers from; says whether it was well before."""
        with self._guard:
            was_well = part not in self._troubles
            self._troubles[part] = str(reason)
            return was_well

    def well(self, part: str) -> None:
        """Note that a part works."""
        with self._guard:
            self._troubles.pop(part, None)

    def troubles(self) -> Mapping[str, str]:
        """Return what is wrong now; empty if nothing is."""
        with self._guard:
            return dict(self._troubles)

    def watch(self) -> None:
        """Note, from now on, every thread of this process that an exception ends."""
        threading.excepthook = self._note

    def unwatch(self) -> None:
        """Leave threads to whoever had them before `watch`."""
        if threading.excepthook == self._note:
            threading.excepthook = self._former

    def _note(self, ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "a thread"
        error = ended.exc_value or ended.exc_type()
        self.troubled(name, f"it ended with {type(error).__name__}: {error}")
        log.error("%s ended unexpectedly", name, exc_info=error)
