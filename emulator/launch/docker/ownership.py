"""What containers wrote as root becomes the emulator's own, where the emulator is not root.

Only an engine may change owners for an ordinary user, so a container does it, and sees nothing but
the one directory.
"""

import logging
import os
from pathlib import Path

from . import labels
from .engine import Engine
from .mounts import bind
from .oneself import Oneself

log = logging.getLogger(__name__)

_TARGET = "/reclaimed"
_SCRIPT = f'chown -hR "$0" {_TARGET} && chmod -R u+rwX {_TARGET}'
_SECONDS = 120.0


class Ownership:
    """Changes owners by containers.

    Args:
        image: an image with ``sh``, ``chown`` and ``chmod``; None if there is none.
    """

    def __init__(self, engine: Engine, oneself: Oneself, instance: str, image: str | None) -> None:
        self._engine = engine
        self._oneself = oneself
        self._instance = instance
        self._image = image

    def reclaim(self, directory: Path) -> None:
        """Give what is below `directory` to this process's user; for root there is nothing to do.

        Without the image it stays as it is, and a warning says what to do.
        """
        if os.geteuid() == 0 or not directory.is_dir():
            return
        if self._image is None or not self._engine.find(f"/images/{self._image}/json"):
            log.warning(
                "%s holds files of root, which stay. Run as root, or build the image %s: "
                "sagemaker-emulator images build base",
                *(directory, self._image),
            )
            return
        handle = self._engine.post("/containers/create", self._request(directory))["Id"]
        try:
            self._engine.post(f"/containers/{handle}/start")
            ended = self._engine.post(f"/containers/{handle}/wait", timeout=_SECONDS)
            if ended["StatusCode"]:
                log.warning("%s may hold files of root, which stay", directory)
        finally:
            self._engine.delete(f"/containers/{handle}", force=1)

    def _request(self, directory: Path) -> dict[str, object]:
        return {
            "Image": self._image,
            "Entrypoint": ["sh", "-c", _SCRIPT],
            "Cmd": [f"{os.geteuid()}:{os.getegid()}"],
            "Labels": labels.of(self._instance, labels.OWNERSHIP_ROLE),
            "HostConfig": {
                "Mounts": [bind(self._oneself.outside(directory), _TARGET, read_only=False)],
                "NetworkMode": "none",
            },
        }
