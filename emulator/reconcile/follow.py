"""Container output to CloudWatch Logs: one follower per container, from start to exit.

A follower also tells the reconciler that its container has ended, since the engine closes the
stream of lines at that moment; nobody polls for an exit.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from emulator.errors import EmulatorError
from emulator.health import Health
from emulator.launch.driver import Launcher
from emulator.logs import LogLine, capture

log = logging.getLogger(__name__)


class _Follower:
    """One container's; `batches` grows while lines come."""

    def __init__(self) -> None:
        self.thread = threading.Thread()
        self.batches = 0


class Followers:
    """The followers of all running containers, by handle.

    Args:
        health: is told of output that can't be kept.
    """

    def __init__(self, launcher: Launcher, health: Health | None = None) -> None:
        self._launcher = launcher
        self._health = health or Health()
        self._followers: dict[str, _Follower] = {}
        self._guard = threading.Lock()

    def follow(
        self,
        handle: str,
        *,
        sink: Callable[[Sequence[LogLine]], None],
        since: float,
        ended: Callable[[], None],
        rewrite: Callable[[str], str] = str,
    ) -> None:
        """Pass on what the container writes after `since`; a second call changes nothing.

        If the engine stops giving the lines, `ended` is called too, and a further call goes on. So
        it does where lines can't be kept, of which health tells until they can, or are given up.

        Args:
            handle: the container.
            sink: takes lines in the order written.
            since: epoch seconds of the last line that an earlier run has passed on, else 0.
            ended: called once, when the last line has been passed on.
            rewrite: makes of each line what is passed on.
        """
        with self._guard:
            if handle in self._followers:
                return
            follower = self._followers[handle] = _Follower()
            follower.thread = threading.Thread(
                target=self._run,
                args=(follower, handle, sink, since, ended, rewrite),
                name=f"logs {handle[:12]}",
                daemon=True,
            )
            follower.thread.start()

    def following(self, handle: str) -> bool:
        """Say whether lines of this container may still come."""
        follower = self._followers.get(handle)
        return follower is not None and follower.thread.is_alive()

    def finish(self, handle: str, patience: float) -> None:
        """Wait until the last line is passed on, then forget the container.

        Args:
            patience: seconds after which, if no line came in them, nothing is waited for.
        """
        with self._guard:
            follower = self._followers.pop(handle, None)
        self._health.well(_part(handle))
        while follower is not None and follower.thread.is_alive():
            before = follower.batches
            follower.thread.join(patience)
            if follower.thread.is_alive() and follower.batches == before:
                log.warning("container %s: its last output may be missing", handle[:12])
                return

    def _run(
        self,
        follower: _Follower,
        handle: str,
        sink: Callable[[Sequence[LogLine]], None],
        since: float,
        ended: Callable[[], None],
        rewrite: Callable[[str], str],
    ) -> None:
        def counted(lines: Sequence[LogLine]) -> None:
            sink(lines)
            follower.batches += 1
            self._health.well(_part(handle))

        try:
            capture(self._launcher.logs(handle, since=since), counted, rewrite=rewrite)
        except EmulatorError as error:
            log.warning("container %s: its output can't be read: %s", handle[:12], error)
            self._forget(handle, follower)
        except Exception as error:
            if self._health.troubled(_part(handle), f"{type(error).__name__}: {error}"):
                log.exception("%s can't be kept; it is tried again", _part(handle))
            self._forget(handle, follower)
            # Nobody is woken: a next try at once would fail as this one did.
            return
        ended()

    def _forget(self, handle: str, follower: _Follower) -> None:
        with self._guard:
            if self._followers.get(handle) is follower:
                del self._followers[handle]


def _part(handle: str) -> str:
    return f"the output of container {handle[:12]}"
