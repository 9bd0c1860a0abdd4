"""What a request may ask on AWS and cannot ask here; pure.

A table names members whose behaviour is not emulated. A request that uses one of them is refused
by name: to accept it would be to answer success for what is not done.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from emulator.call import Document
from emulator.errors import ValidationException

Table = Mapping[str, str]
"""Path of a member to a hint; ``Outer.Inner``, ``List[].Inner``, ``Member=Value``.

Without ``=Value`` the member is refused when it is given and not false, zero or empty.
"""


def refuse_unemulated(request: Document, table: Table) -> None:
    """Raise ValidationException for the first entry of ``table`` that the request uses."""
    for entry, hint in table.items():
        path, _, value = entry.partition("=")
        for found in _values(request, path.replace("[]", ".[]").split(".")):
            if found == value if value else found:
                raise ValidationException(_sentence(path, value, hint))


def must_not_be_null(path: str) -> NoReturn:
    """Refuse a request that lacks a member which only the service requires (contract A2)."""
    raise ValidationException(
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint:"
        " Member must not be null"
    )


def out_of_bounds(path: str, value: float, rule: str) -> NoReturn:
    """Refuse a number for a bound that only the service has, such as 'less than or equal to 5'."""
    raise ValidationException(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint:"
        f" Member must have value {rule}"
    )


def require_distinct(names: Iterable[str], what: str) -> None:
    """Refuse a request that gives two things one name, where only one could be meant.

    Args:
        what: the beginning of the sentence, such as 'Production variant names'.
    """
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValidationException(f"{what} must be unique: {', '.join(twice)}")


def unlike_pattern(path: str, value: str, pattern: str) -> NoReturn:
    """Refuse a text that only the service takes for no match of the member's pattern."""
    raise ValidationException(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint:"
        f" Member must satisfy regular expression pattern: {pattern}"
    )


def _values(part: Any, path: list[str]) -> Iterator[Any]:
    if not path:
        yield part
    elif path[0] == "[]":
        for item in part:
            yield from _values(item, path[1:])
    elif path[0] in part:
        yield from _values(part[path[0]], path[1:])


def _sentence(path: str, value: str, hint: str) -> str:
    subject = f"{path} {value}" if value else path
    return f"{subject} is not emulated yet.{' ' + hint if hint else ''}"
