"""Filter patterns of CloudWatch Logs for unstructured text; pure, knows no log group.

    ERROR timeout     lines that hold both
    ?ERROR ?WARN      lines that hold one of them
    ERROR -retrying   lines that hold the first and not the second
    "disk is full"    lines that hold the phrase
    %loss=[0-9.]+%    lines that match the regular expression

Patterns in braces and brackets, for JSON and for columns, are refused: to pass every line through
would be to call a filter honoured that was not.
"""

import re
from collections.abc import Callable
from functools import lru_cache

Matches = Callable[[str], bool]

_TERM = re.compile(
    r"""\s*(?P<mark>[?-])?(?:"(?P<phrase>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]+)%|(?P<word>[^\s"%]+))"""
)
# AWS takes these characters, and none of a group's parentheses but behind a backslash.
_REGEX = re.compile(r"(?:[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|*+.]|\\[ -~])+")
_PLAIN = re.compile(r"\w+", re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


class InvalidPattern(ValueError):
    """The pattern is none."""


@lru_cache(256)
def matcher(pattern: str) -> Matches:
    """Return the function that tells whether a pattern matches a line; an empty one matches all.

    Raises:
        InvalidPattern: no line could be looked for with it.
        NotImplementedError: it is for JSON or for columns.
    """
    text = pattern.strip()
    if text.startswith(("{", "[")):
        raise NotImplementedError("Filter patterns for JSON and for columns are not emulated.")
    wanted: dict[str, list[Matches]] = {"": [], "?": [], "-": []}
    at = 0
    while at < len(text):
        term = _TERM.match(text, at)
        if term is None:
            raise InvalidPattern("Invalid filter pattern")
        wanted[term["mark"] or ""].append(_term(term))
        at = term.end()
    required, either, excluded = wanted[""], wanted["?"], wanted["-"]
    if required or excluded:
        either = []  # as AWS has it: beside terms of another kind they mean nothing

    def matches(line: str) -> bool:
        return (
            all(term(line) for term in required)
            and not any(term(line) for term in excluded)
            and (not either or any(term(line) for term in either))
        )

    return matches


def _term(term: re.Match[str]) -> Matches:
    if term["regex"]:
        if not _REGEX.fullmatch(term["regex"]):
            raise InvalidPattern("Invalid character(s) in regular expression")
        try:
            return _found(re.compile(term["regex"]))
        except re.error:
            raise InvalidPattern("Invalid character(s) in term or phrase") from None
    word = term["word"]
    if word is not None:
        if not _PLAIN.fullmatch(word):
            # Anything but letters, digits and underscores must stand in quotes.
            raise InvalidPattern(f"Invalid character(s) in term '{word}'")
        return _holds(word)
    return _holds(_ESCAPED.sub(r"\1", term["phrase"]))


def _holds(text: str) -> Matches:
    return lambda line: text in line


def _found(expression: re.Pattern[str]) -> Matches:
    return lambda line: expression.search(line) is not None
