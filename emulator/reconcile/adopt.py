"""After a restart: remove what an earlier run left of resources that no longer need it.

What resources still need, their reconcilers find by label and take over. Containers without our
labels are never looked at: the launcher does not even list them.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator import trees
from emulator.call import Kind, Record, Scope, Store
from emulator.launch.driver import Launcher
from emulator.reconcile import labels

log = logging.getLogger(__name__)


def remove_strangers(
    store: Store, launcher: Launcher, kinds: Mapping[str, Kind], settled: Callable[[Record], bool]
) -> None:
    """Remove our containers whose resource is gone or needs none."""
    for container in launcher.find({}):
        own = container.labels
        kind = kinds.get(own.get(labels.KIND, ""))
        if kind is None:
            continue
        scope = Scope(own[labels.ACCOUNT], own[labels.REGION])
        record = store.find(kind, scope, own[labels.NAME])
        if record is None or settled(record):
            log.info("removing container %s, which an earlier run left", container.name)
            launcher.remove(container.handle)


def remove_leftovers(
    store: Store, kind: Kind, directory: Path, settled: Callable[[Record], bool]
) -> None:
    """Remove the directories of resources that are gone or need none."""
    for path in directory.glob("*/*/*"):
        account, region, name = path.relative_to(directory).parts
        record = store.find(kind, Scope(account, region), name)
        if record is None or settled(record):
            trees.remove(path)
