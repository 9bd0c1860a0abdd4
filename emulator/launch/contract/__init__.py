"""What a SageMaker container sees: files under /opt/ml, environment, command, network names.

    training.py   a training job's host (contract B6 to B8)
    serving.py    an endpoint's container (contract C2)
    notebook.py   a notebook instance's container (contract E)
    limits.py     what of this machine a container may use
    gpus.py       which instance types have GPUs
    access.py     how a container reaches AWS, that is, the emulator

All of it is computed from documents; only `write` touches the disk.
"""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["write"]


def write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write contents by path relative to `root`, replacing what is there.

    Raises ValueError for a path that leads out of `root`, OSError when the disk refuses.
    """
    for name, content in files.items():
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()):
            raise ValueError(f"{name} leads out of {root}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
