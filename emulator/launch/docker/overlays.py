"""Directories that a container may write to without ever changing their source.

Each is an overlay file system that the engine mounts: the source below, an empty scratch directory
on top. Where the engine cannot do that, the source is mounted read-only instead; a source is never
mounted writable here.
"""

import logging
import threading
from pathlib import Path
from typing import Any

from emulator import trees
from emulator.errors import PermanentError
from emulator.launch.driver import Mount

from . import labels
from .engine import Engine
from .mounts import bind
from .oneself import Oneself
from .ownership import Ownership

log = logging.getLogger(__name__)

_SEPARATORS = frozenset(",:\\")


class Overlays:
    """The overlay volumes of one emulator.

    Args:
        instance: the emulator's id.
        scratch: a directory of this emulator's alone for what containers write; made when needed.
            None: no overlays, everything is read-only.
    """

    def __init__(
        self,
        engine: Engine,
        oneself: Oneself,
        instance: str,
        scratch: Path | None,
        ownership: Ownership,
    ) -> None:
        self._engine = engine
        self._oneself = oneself
        self._ownership = ownership
        self._instance = instance
        self._scratch = scratch
        self._working = threading.Event()
        if scratch is not None:
            self._working.set()

    @property
    def working(self) -> bool:
        """Whether the engine can mount overlays, as far as known."""
        return self._working.is_set()

    def disable(self, reason: str) -> None:
        """Remember that the engine cannot mount overlays."""
        log.warning("no copy-on-write mounts, inputs are read-only: %s", reason)
        self._working.clear()

    def mount(self, owner: str, index: int, mount: Mount) -> dict[str, Any]:
        """Return the engine's words for a ``cow`` mount of the container named `owner`."""
        source = self._oneself.outside(mount.source)
        plain = bind(source, mount.target, read_only=True)
        if self._scratch is None or not self.working:
            return plain
        directory = self._scratch / owner / str(index)
        seen = self._oneself.outside(directory)
        if _SEPARATORS & set(f"{source}{seen}"):  # would end an option of mount(8)
            return plain
        trees.remove(directory)  # of a container that was killed before it was known
        upper, work = directory / "upper", directory / "work"
        try:
            for made in (upper, work):
                made.mkdir(parents=True)
            # The upper directory is what the container sees as the mount's root.
            upper.chmod(mount.source.stat().st_mode & 0o7777)
        except OSError as error:
            raise PermanentError(f"{mount.target} cannot be mounted: {error.strerror}") from error
        name = f"sagemaker-emulator-{self._instance}-{owner}-{index}"
        layers = source, seen / upper.name, seen / work.name
        self._engine.post("/volumes/create", self._request(owner, name, *layers))
        return {
            "Type": "volume",
            "Source": name,
            "Target": mount.target,
            "VolumeOptions": {"NoCopy": True},
        }

    def remove(self, owner: str) -> None:
        """Remove the volumes of a container and what it wrote to them; absent is fine."""
        found = self._engine.get(
            "/volumes",
            filters=labels.selecting({labels.INSTANCE: self._instance, labels.OWNER: owner}),
        )
        for volume in found.get("Volumes") or []:
            self._engine.delete(f"/volumes/{volume['Name']}")
        if self._scratch is not None:
            self._ownership.reclaim(self._scratch / owner)
            trees.remove(self._scratch / owner)

    def owners(self) -> set[str]:
        """Return the names of the containers that have, or had, overlays."""
        found = self._engine.get(
            "/volumes", filters=labels.selecting(labels.of(self._instance, labels.OVERLAY_ROLE))
        )
        owners = {str(volume["Labels"][labels.OWNER]) for volume in found.get("Volumes") or []}
        if self._scratch is not None and self._scratch.is_dir():
            owners |= {path.name for path in self._scratch.iterdir()}
        return owners

    def _request(
        self, owner: str, name: str, lower: Path, upper: Path, work: Path
    ) -> dict[str, Any]:
        own = labels.of(self._instance, labels.OVERLAY_ROLE)
        return {
            "Name": name,
            "Driver": "local",
            "DriverOpts": {
                "type": "overlay",
                "device": "overlay",
                "o": f"lowerdir={lower},upperdir={upper},workdir={work}",
            },
            "Labels": {**own, labels.OWNER: owner},
        }
