"""Where the installed botocore has its models, and whether it is new enough; never imports it."""

import re
from importlib.util import find_spec
from pathlib import Path

from emulator.errors import PermanentError

OLDEST = (1, 41)
"""The first whose models have every operation that is answered here; as pyproject.toml says."""
_MEND = "Run: python -m pip install --upgrade boto3"


def folder() -> Path:
    """Return the folder of all models; raises ModuleNotFoundError without botocore."""
    # find_spec locates botocore without importing it.
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore is not installed")
    return Path(spec.origin).parent / "data"


def require() -> None:
    """Raise PermanentError, which says what to do, unless botocore is here and new enough."""
    try:
        text = (folder().parent / "__init__.py").read_text()
    except ModuleNotFoundError as error:
        raise PermanentError(f"The emulator can't work: {error}. {_MEND}") from None
    # Importing botocore would take longer than all the rest of a start.
    version = re.search(r"^__version__ = ['\"]((\d+)\.(\d+)\S*)['\"]$", text, re.MULTILINE)
    if version and (int(version[2]), int(version[3])) < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise PermanentError(
            f"The emulator can't work with botocore {version[1]}: it needs {oldest} or newer. "
            f"{_MEND}"
        )
