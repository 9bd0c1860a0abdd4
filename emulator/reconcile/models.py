"""A model's data on disk: what becomes /opt/ml/model in a serving container (contract C1, C2)."""

import logging
from collections.abc import Callable
from pathlib import Path

from emulator import trees
from emulator.call import Document, Scope
from emulator.errors import PermanentError
from emulator.reconcile import reasons
from emulator.reconcile.artifacts import Objects
from emulator.staging.archive import unpack
from emulator.staging.inputs import NoSpace, Source, split_uri, stage

log = logging.getLogger(__name__)


class Models:
    """Downloads and extracts model data.

    Args:
        objects: S3 as a scope sees it.
    """

    def __init__(self, objects: Callable[[Scope], Objects]) -> None:
        self._objects = objects

    def stage(self, scope: Scope, container: Document, directory: Path) -> Path:
        """Return the directory with the container's model data, staged once per `directory`.

        Raises:
            PermanentError: with the endpoint's FailureReason (contract C4).
        """
        ready, incoming = directory / "model", directory / "incoming"
        if ready.exists():
            return ready
        trees.remove(incoming)
        incoming.mkdir(parents=True)
        source = container.get("ModelDataSource", {}).get("S3DataSource")
        if source is not None and source["CompressionType"] == "None":
            self._copy(scope, source, incoming)
        elif url := source["S3Uri"] if source is not None else container.get("ModelDataUrl"):
            self._extract(scope, url, incoming)
        incoming.rename(ready)
        return ready

    def discard(self, directory: Path) -> None:
        """Remove an endpoint's directory; absent is fine."""
        trees.remove(directory)

    def _extract(self, scope: Scope, url: str, incoming: Path) -> None:
        try:
            archive = self._objects(scope).stat(*split_uri(url)).path
        except PermanentError as error:
            raise PermanentError(reasons.model_download(url)) from error
        try:
            unpack(archive, incoming)
        except NoSpace as error:
            raise PermanentError(reasons.MODEL_TOO_LARGE) from error
        except PermanentError as error:
            log.warning("%s can't be extracted: %s", url, _cause(error))
            raise PermanentError(reasons.model_archive(url)) from error

    def _copy(self, scope: Scope, source: Document, incoming: Path) -> None:
        try:
            stage(self._objects(scope), Source(source["S3Uri"]), incoming)
        except NoSpace as error:
            raise PermanentError(reasons.MODEL_TOO_LARGE) from error
        except PermanentError as error:
            log.warning("%s can't be downloaded: %s", source["S3Uri"], error)
            raise PermanentError(reasons.model_download(source["S3Uri"])) from error


def _cause(error: Exception) -> str:
    """Return what is wrong with an archive, with what tarfile said of it."""
    return f"{error} ({error.__cause__})" if error.__cause__ else str(error)
