"""The model's regular expressions, written for Java, as Python matches them; pure.

Java's ``matches()`` anchors both ends, counts only ASCII as ``\\d``, ``\\w`` and ``\\s``, knows
Unicode categories (``\\p{L}``) and writes characters beyond U+FFFF as surrogate pairs.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from unicodedata import category

_TOKEN = re.compile(
    r"\\p\{(?P<class>\w+)\}"
    r"|\\u(?P<high>[dD][89abAB]\w\w)\\u(?P<low>[dD][c-fC-F]\w\w)"
    r"|(?P<end>\\z)"
    r"|(?P<anchor>\$\{\d+(,\d*)?\})"  # Java lets an anchor be repeated, Python does not
    r"|\\.|[\[\]]"
)
_POSIX = {"Alnum": "0-9A-Za-z", "ASCII": "\\x00-\\x7f", "Print": "\\x20-\\x7e"}
_ASCII = (range(0x80),)
# The planes between and behind these hold no letter, mark, number, symbol or separator.
_UNICODE = (range(0x40000), range(0xE0000, 0xE1000))


@cache
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a whole text satisfies ``pattern``."""
    ascii_match = _compile(pattern, _ASCII).fullmatch
    if "\\p{" not in pattern:
        return lambda text: ascii_match(text) is not None

    # The classes of all of Unicode take tens of milliseconds to build and are seldom needed.
    def matches(text: str) -> bool:
        match = ascii_match if text.isascii() else _compile(pattern, _UNICODE).fullmatch
        return match(text) is not None

    return matches


@cache
def _compile(pattern: str, alphabet: tuple[range, ...]) -> re.Pattern[str]:
    in_class = False

    def translate(token: re.Match[str]) -> str:
        nonlocal in_class
        if name := token["class"]:
            members = _POSIX.get(name) or _category(name, alphabet)
            if in_class:
                return members
            return f"[{members}]" if members else "(?!)"
        if token["high"]:
            high, low = int(token["high"], 16), int(token["low"], 16)
            return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
        if token["end"]:
            return "\\Z"
        if token["anchor"]:
            return token[0] if in_class else "$"
        if token[0] in "[]":
            in_class = token[0] == "["
        return token[0]

    return re.compile(_TOKEN.sub(translate, pattern), re.ASCII)


@cache
def _category(name: str, alphabet: Iterable[range]) -> str:
    """Return the members of a general category, such as ``L``, as ranges of a character class."""
    runs = []
    for points in alphabet:
        first = points.start
        for inside, run in groupby(map(category, map(chr, points)), lambda c: c[0] == name):
            last = first + sum(1 for _ in run) - 1
            if inside:
                runs.append(f"\\U{first:08x}-\\U{last:08x}")
            first = last + 1
    return "".join(runs)


# botocore dropped the anchors of its patterns in 2025; the service prints them (contract A2). Its
# former models had the first one alone on names, both on the kinds below, and none elsewhere.
_NAME = re.compile(r"\[a-z(A-Z)?0-9\]\(")
_ANCHORED = ("(https|s3)://", "arn:aws[a-z\\-]*:iam::", "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-")


@cache
def printed(pattern: str) -> str:
    """Return ``pattern`` as the service prints it in a message."""
    if _NAME.match(pattern):
        return f"^{pattern}"
    return f"^{pattern}$" if pattern.startswith(_ANCHORED) else pattern
