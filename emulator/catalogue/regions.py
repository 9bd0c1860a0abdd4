"""The regions that clients use: each gets its names as soon as it is first seen.

All work is done on a thread of its own, so that no request waits. What can't be done is logged
once: only the SDKs' local mode needs the names.
"""

import importlib
import logging
import queue
import re
import threading

from emulator.errors import EmulatorError

log = logging.getLogger(__name__)

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")


class Regions:
    """Gives our images the names of every region that is noticed, from `begin` on."""

    def __init__(self) -> None:
        self._noticed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._seen: set[str] = set()
        self._closing = False

    def notice(self, region: str) -> None:
        """Hear of a region that a client uses; returns at once, however often it is called."""
        if region not in self._seen and _REGION.fullmatch(region):
            self._seen.add(region)
            self._noticed.put(region)

    def load(self) -> None:
        """Import what gives names: it asks for the docker SDK, which takes a while."""
        importlib.import_module("emulator.catalogue.naming")

    def begin(self, url: str) -> None:
        """Begin to give names, on a thread; `url` is where containers reach the emulator."""
        threading.Thread(target=self._work, args=(url,), name="regions", daemon=True).start()

    def close(self) -> None:
        """Give no more names; what is being done is finished in the background."""
        self._closing = True
        self._noticed.put("")

    def _work(self, url: str) -> None:
        from emulator.catalogue import naming  # imported by `load`

        while (region := self._noticed.get()) and not self._closing:
            try:
                named = naming.give(region, url)
            except EmulatorError as problem:
                log.warning("local mode in %s has no images: %s", region, problem)
            except Exception:
                log.exception("local mode in %s has no images", region)
            else:
                _tell(region, named.elsewhere, named.kept, len(named.given))


def _tell(region: str, elsewhere: str, kept: tuple[str, ...], given: int) -> None:
    if elsewhere:
        log.info(
            "local mode in %s uses the emulator at %s; to use this one: "
            "sagemaker-emulator images tag --region %s",
            region,
            elsewhere,
            region,
        )
        return
    log.info("%d image names of %s for local mode", given, region)
    if kept:
        log.info("left to the images that have them: %s", ", ".join(kept))
