"""The constraints on an invocation's headers and name, read from botocore's model of the service.

A violation is worded as in contract A2. The model is read when the first value needs it, so an
invocation with nothing unusual never waits for it.
"""

import gzip
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import orjson

from emulator.errors import ValidationError

_DATA = "sagemaker-runtime/2017-05-13/service-2.json.gz"
_UNREMARKABLE = 256
# Java's classes in the model's patterns; Python knows neither of them.
_CLASSES = {
    r"[\p{Print}]": r"[\x20-\x7e]",
    r"\p{ASCII}": r"[\x00-\x7f]",
    r"\z": r"\Z",
}


@dataclass(frozen=True)
class _Constraint:
    shortest: int
    longest: int | None
    pattern: str | None
    matches: re.Pattern[str] | None


def check_text(member: str, value: str) -> None:
    """Check a member that may hold any ASCII, such as ContentType; most pass at a glance."""
    if len(value) > _UNREMARKABLE or not value.isascii():
        check(member, value)


def check(member: str, value: str) -> None:
    """Raise ValidationError if the value breaks the model's constraints on a request member."""
    constraint = _constraints()[member]
    broken: list[str] = []
    if len(value) < constraint.shortest:
        broken.append(f"Member must have length greater than or equal to {constraint.shortest}")
    if constraint.longest is not None and len(value) > constraint.longest:
        broken.append(f"Member must have length less than or equal to {constraint.longest}")
    elif constraint.matches is not None and not constraint.matches.fullmatch(value):
        broken.append(_breaks_pattern(constraint))
    if broken:
        raise _violation(member, value, broken)


def not_ascii(member: str) -> ValidationError:
    """Return the error for a value that its pattern forbids and that did not get here."""
    return _violation(member, "", [_breaks_pattern(_constraints()[member])])


def _breaks_pattern(constraint: _Constraint) -> str:
    return f"Member must satisfy regular expression pattern: {constraint.pattern}"


def _violation(member: str, value: str, broken: list[str]) -> ValidationError:
    path = member[0].lower() + member[1:]
    items = "; ".join(
        f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}" for rule in broken
    )
    noun = "error" if len(broken) == 1 else "errors"
    return ValidationError(f"{len(broken)} validation {noun} detected: {items}")


@cache
def _constraints() -> dict[str, _Constraint]:
    # find_spec locates botocore without importing it, which would take longer than all the rest.
    spec = find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore is not installed")
    path = Path(spec.origin).parent / "data" / _DATA
    shapes = orjson.loads(gzip.decompress(path.read_bytes()))["shapes"]
    return {
        member: _constraint(shapes[reference["shape"]])
        for member, reference in shapes["InvokeEndpointInput"]["members"].items()
        if reference.get("location") in ("header", "uri")
    }


def _constraint(shape: dict[str, object]) -> _Constraint:
    shortest, longest, pattern = shape.get("min"), shape.get("max"), shape.get("pattern")
    matches = None
    if isinstance(pattern, str):
        translated = pattern
        for java, python in _CLASSES.items():
            translated = translated.replace(java, python)
        matches = re.compile(translated, re.DOTALL)
    return _Constraint(
        shortest if isinstance(shortest, int) else 0,
        longest if isinstance(longest, int) else None,
        pattern if isinstance(pattern, str) else None,
        matches,
    )
