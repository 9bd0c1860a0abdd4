"""How a copy of our images is told from an image that somebody made from it; pure.

Whoever builds on a copy inherits its labels, the seal included, but changes what the seal is over.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from emulator.names import LABEL_PREFIX

SEAL_LABEL = LABEL_PREFIX + "seal"
"""On a copy: digest of what it consists of."""


def is_given(image: Mapping[str, Any]) -> bool:
    """Tell whether an image, as the engine describes it, is a copy that `naming` made.

    An image that somebody made from a copy has its labels, but not its layers or configuration.
    """
    labels = image["Config"].get("Labels") or {}
    return SEAL_LABEL in labels and bool(labels[SEAL_LABEL] == seal_of(image))


def seal_of(image: Mapping[str, Any], added: Iterable[str] = ()) -> str:
    """Return a digest of an image's layers and of what it runs how, with variables added."""
    config = image["Config"]
    names = {variable.partition("=")[0] for variable in added}
    environment = [
        variable for variable in config.get("Env") or () if variable.partition("=")[0] not in names
    ]
    parts = [
        image["RootFS"].get("Layers"),
        sorted([*environment, *added]),
        *(config.get(key) or None for key in ("Cmd", "Entrypoint", "WorkingDir", "User")),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
