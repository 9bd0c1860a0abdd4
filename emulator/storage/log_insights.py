"""Queries of CloudWatch Logs Insights, parsed and run over rows; pure, knows no log group.

    fields @timestamp, loss as training_loss
    parse @message "loss=*;" as loss
    filter @logStream like "job-1/" and (loss < 0.5 or @message like /(?i)error/)
    sort @timestamp desc | limit 20 | display @message

Commands are carried out in the order in which they stand. Whatever is not understood is refused: a
query answered without one of its clauses would be a wrong answer.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emulator.storage.log_words import MalformedQuery, regex, unquoted, words

Row = dict[str, Any]
Test = Callable[[Row], bool]
Step = Callable[[list[Row]], list[Row]]

MOST = 10_000
"""The most rows that a query gives."""
COMMANDS = ("fields", "display", "filter", "sort", "limit", "parse")
_SHOWN_BY_DEFAULT = ["@timestamp", "@message"]
_TIMES = ("@timestamp", "@ingestionTime")


@dataclass
class Query:
    """A query that can be run.

    Attributes:
        steps: each command with what it does.
        shown: the fields of a result, in order.
        matched: how many rows the last run's filters let through.
    """

    steps: list[tuple[str, Step]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    matched: int = 0

    def run(self, rows: Iterable[Row], most: int = MOST) -> list[dict[str, str]]:
        """Return the results: the newest first, unless the query sorts them.

        Args:
            rows: one for each line, with ``@timestamp`` in milliseconds, ``@message`` and ``@ptr``.
        """
        found = sorted(rows, key=lambda row: row["@timestamp"], reverse=True)
        self.matched = len(found)
        for command, step in self.steps:
            found = step(found)
            if command == "filter":
                self.matched = len(found)
        names = [*(self.shown or _SHOWN_BY_DEFAULT), "@ptr"]
        return [
            {name: _written(name, row[name]) for name in names if row.get(name) is not None}
            for row in found[:most]
        ]


def discovered(message: str) -> Row:
    """Return the fields that a line of JSON has, with dots between the names of nested ones."""
    if not message.lstrip().startswith("{"):
        return {}
    try:
        return dict(_flat("", json.loads(message)))
    except (ValueError, RecursionError):
        return {}


def parse(text: str) -> Query:
    """Return the query that a text says; raises MalformedQuery."""
    try:
        return _Parser(text).query()
    except RecursionError:
        raise MalformedQuery("The query is nested too deeply.") from None


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    elif value is not None:
        yield name, json.dumps(value) if isinstance(value, bool) else value


def _written(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int):
        at = datetime.fromtimestamp(value / 1000, UTC)
        return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{value % 1000:03d}"
    return str(value) if isinstance(value, str) else json.dumps(value)


class _Parser:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(words(text))
        self._at = 0

    def query(self) -> Query:
        query = Query()
        displayed: list[str] = []
        while True:
            kind, word = self._next()
            command = word.lower()
            if kind != "name" or command not in COMMANDS:
                raise MalformedQuery(
                    f"{word or 'the end of the query'!r} is no command that is emulated. "
                    f"Emulated: {', '.join(COMMANDS)}."
                )
            if command in ("fields", "display"):
                names, step = self._fields()
                query.steps.append((command, step))
                displayed = names if command == "display" else displayed
                query.shown += [name for name in names if name not in query.shown]
            elif command == "parse":
                names, step = self._parse()
                query.steps.append((command, step))
                query.shown = query.shown or [*_SHOWN_BY_DEFAULT]
                query.shown += [name for name in names if name not in query.shown]
            else:
                rest = {"filter": self._filter, "sort": self._sort, "limit": self._limit}
                query.steps.append((command, rest[command]()))
            if self._takes("end", ""):
                break
            self._expect("sign", "|")
        query.shown = displayed or query.shown
        return query

    def _fields(self) -> tuple[list[str], Step]:
        names, aliases = [], {}
        while True:
            name = shown = self._name()
            if self._takes("name", "as"):
                shown = self._name()
                aliases[shown] = name
            names.append(shown)
            if not self._takes("sign", ","):
                break

        def step(rows: list[Row]) -> list[Row]:
            if not aliases:
                return rows
            return [row | {new: row.get(old) for new, old in aliases.items()} for row in rows]

        return names, step

    def _filter(self) -> Step:
        test = self._either()
        return lambda rows: [row for row in rows if test(row)]

    def _sort(self) -> Step:
        keys: list[tuple[str, bool]] = []
        while True:
            name = self._name()
            ascending = self._takes("name", "asc")
            if not ascending:
                self._takes("name", "desc")
            keys.append((name, not ascending))
            if not self._takes("sign", ","):
                break

        def step(rows: list[Row]) -> list[Row]:
            # The sort is stable, so that the first key, which weighs most, comes last.
            for name, descending in reversed(keys):
                rows = sorted(rows, key=lambda row: _rank(row.get(name)), reverse=descending)
            return rows

        return step

    def _limit(self) -> Step:
        kind, word = self._next()
        if kind != "number" or not word.isdigit() or not 0 < float(word) <= MOST:
            raise MalformedQuery(f"limit takes a number from 1 to {MOST}, not {word!r}.")
        most = int(word)
        return lambda rows: rows[:most]

    def _parse(self) -> tuple[list[str], Step]:
        source = "@message"
        if self._peek()[0] in ("name", "quoted"):
            source = self._name()
        kind, word = self._next()
        if kind == "regex":
            expression = regex(word)
            names = list(expression.groupindex)
            if not names:
                raise MalformedQuery("parse takes a regular expression with named groups.")

            def found(text: str) -> Row:
                match = expression.search(text)
                return match.groupdict() if match else {}

        elif kind == "text":
            pieces = unquoted(word).split("*")
            self._expect("name", "as")
            names = [self._name()]
            while self._takes("sign", ","):
                names.append(self._name())
            if len(names) != len(pieces) - 1:
                raise MalformedQuery(f"parse has {len(pieces) - 1} stars for {len(names)} names.")

            def found(text: str) -> Row:
                return dict(zip(names, _between(pieces, text), strict=False))

        else:
            raise MalformedQuery(f"parse takes a pattern, not {word!r}.")
        return names, lambda rows: [row | found(str(row.get(source, ""))) for row in rows]

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("name", "or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._takes("name", "and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _single(self) -> Test:
        if self._takes("name", "not"):
            inner = self._single()
            return lambda row: not inner(row)
        if self._takes("sign", "("):
            inner = self._either()
            self._expect("sign", ")")
            return inner
        if self._takes("name", "ispresent"):
            self._expect("sign", "(")
            name = self._name()
            self._expect("sign", ")")
            return lambda row: row.get(name) is not None
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._operand()
        negated = self._takes("name", "not")
        if self._takes("name", "like") or (not negated and self._takes("sign", "=~")):
            test = self._like(left)
        elif self._takes("name", "in"):
            test = self._in(left)
        elif not negated and self._peek()[1] in _COMPARISONS:
            compare = _COMPARISONS[self._next()[1]]
            right = self._operand()

            def test(row: Row) -> bool:
                return compare(left(row), right(row))
        else:
            _, found = self._next()
            raise MalformedQuery(f"A comparison is expected before {found or 'the end'!r}.")
        return (lambda row: not test(row)) if negated else test

    def _like(self, left: Callable[[Row], Any]) -> Test:
        kind, word = self._next()
        if kind == "regex":
            expression = regex(word)
            return lambda row: (
                left(row) is not None and expression.search(str(left(row))) is not None
            )
        if kind != "text":
            raise MalformedQuery(f"like takes a text or a regular expression, not {word!r}.")
        text = unquoted(word)
        return lambda row: left(row) is not None and text in str(left(row))

    def _in(self, left: Callable[[Row], Any]) -> Test:
        self._expect("sign", "[")
        values = [self._operand()]
        while self._takes("sign", ","):
            values.append(self._operand())
        self._expect("sign", "]")
        return lambda row: any(_equal(left(row), value(row)) for value in values)

    def _operand(self) -> Callable[[Row], Any]:
        kind, word = self._peek()
        if kind in ("text", "number"):
            self._next()
            value = unquoted(word) if kind == "text" else float(word)
            return lambda row: value
        name = self._name()
        return lambda row: row.get(name)

    def _name(self) -> str:
        kind, word = self._next()
        if kind == "quoted":
            return word[1:-1]
        if kind != "name":
            raise MalformedQuery(f"A field is expected, not {word or 'the end'!r}.")
        if self._peek() == ("sign", "("):
            raise MalformedQuery(f"The function {word!r} is not emulated.")
        return word

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        if token[0] == "unknown":
            raise MalformedQuery(token[1])
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _takes(self, kind: str, word: str) -> bool:
        found = self._tokens[self._at]
        taken = found[0] == kind and found[1].lower() == word
        if taken:
            self._next()
        return taken

    def _expect(self, kind: str, word: str) -> None:
        if not self._takes(kind, word):
            _, found = self._next()
            raise MalformedQuery(f"{word!r} is expected before {found or 'the end'!r}.")


def _between(pieces: list[str], text: str) -> list[str]:
    """Return what stands for the stars between the pieces of a pattern; nothing if they miss.

    Piece after piece is looked for from where the one before ended, so that no text takes long.
    """
    first, *rest = pieces
    at = text.find(first)
    begin, values = at + len(first), []
    for number, piece in enumerate(rest, start=1):
        if at < 0:
            return []
        # The last star takes all that is left.
        ends = not piece and number == len(rest)
        at = len(text) if ends else text.find(piece, begin)
        values.append(text[begin:at])
        begin = at + len(piece)
    return values if at >= 0 else []


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _rank(value: Any) -> tuple[int, float, str]:
    """Order missing values before texts before numbers."""
    number = _number(value)
    return (2, number, "") if number is not None else (0 if value is None else 1, 0.0, str(value))


def _equal(left: Any, right: Any) -> bool:
    numbers = _number(left), _number(right)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return left is not None and right is not None and str(left) == str(right)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        one, other = _number(left), _number(right)
        return one is not None and other is not None and compare(one, other)

    return test


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
}
