"""The words of a query of CloudWatch Logs Insights; pure."""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    # What is skipped is never looked at again: a row of # can be split in too many ways.
    r"""(?:\s++|\#[^\n]*+)*+(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<regex>/(?:[^/\\]|\\.)+/)
      | (?P<quoted>`[^`]+`)
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.@]))
      | (?P<name>[@A-Za-z_][\w.@]*)
      | (?P<sign>=~|!=|<=|>=|[=<>()\[\],|])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")


class MalformedQuery(ValueError):
    """The query cannot be carried out; the message says where and why."""


def words(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word's kind and the word; the last is of the kind "end", or "unknown".

    The second of an unknown one is the sentence that refuses it.
    """
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            # Refused when it is reached, since a command before it may be the real trouble.
            yield "unknown", f"What begins at position {at} is not understood: {text[at:][:40]!r}."
            return
        yield match.lastgroup, match[match.lastgroup]
        if match.lastgroup == "end":
            return
        at = match.end()


def regex(word: str) -> re.Pattern[str]:
    """Return the regular expression between two slashes; raises MalformedQuery."""
    try:
        return re.compile(_GROUP.sub("(?P<", word[1:-1].replace(r"\/", "/")))
    except re.error as error:
        raise MalformedQuery(f"{word} is no regular expression: {error}.") from None


def unquoted(word: str) -> str:
    """Return what stands in quotes."""
    return _ESCAPED.sub(r"\1", word[1:-1])
