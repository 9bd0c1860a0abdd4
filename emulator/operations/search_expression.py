"""What a search asks: property paths by the service model, and expressions over them; pure.

A path such as ``Parents.TrialName`` or ``HyperParameters.rate`` leads through structures, lists and
maps to values. Clients write members in any case. The words of refusals are not known to be AWS's.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.call import Document
from emulator.errors import ValidationException

Shapes = Mapping[str, Mapping[str, Any]]
Matches = Callable[[Document], bool]

MOST = 20
"""Elements of one expression."""
_NUMBERS = frozenset({"integer", "long", "float", "double"})
_TEXT = "string"
_MEASURED = "a number in a map"
"""A text that is compared as a number where it is one, such as a hyperparameter."""
# The members whose items are found by a name instead: the items' members for name and value.
_NAMED: Mapping[str, tuple[str, str]] = {
    "TagList": ("Key", "Value"),
    "FinalMetricDataList": ("MetricName", "Value"),
    "TrialComponentMetricSummaries": ("MetricName", ""),
}
# Clients look for "Metrics", which a training job has under another name.
_ALIASES = {("TrainingJob", "metrics"): "FinalMetricDataList"}


@dataclass(frozen=True)
class Property:
    """A property of a kind of resource.

    Attributes:
        type: the model's type of its values, or empty for what holds others.
        values: gives all values that a document has of it.
    """

    name: str
    type: str
    values: Callable[[Any], Iterator[Any]]


def property_of(shapes: Shapes, shape: str, path: str) -> Property:
    """Return the property at ``path``; raises ValidationException if the shape has none there."""
    found = _at(shapes, shape, path.split("."))
    if found is None:
        raise ValidationException(f"Unknown property name: {path}")
    return Property(path, *found)


def condition(shapes: Shapes, shape: str, expression: Document) -> Matches:
    """Return the test that a SearchExpression makes.

    Raises:
        ValidationException: a name, an operator or a value is none.
    """
    filters: list[Document] = expression.get("Filters", [])
    nested: list[Document] = expression.get("NestedFilters", [])
    inner: list[Document] = expression.get("SubExpressions", [])
    count = len(filters) + len(nested) + len(inner)
    if not 0 < count <= MOST:
        raise ValidationException(
            f"A search expression must have between 1 and {MOST} filters, nested filters and"
            f" subexpressions; this one has {count}."
        )
    tests = [
        *(_test(property_of(shapes, shape, one["Name"]), one) for one in filters),
        *(_nested_test(shapes, shape, one) for one in nested),
        *(condition(shapes, shape, one) for one in inner),
    ]
    every = any if expression.get("Operator") == "Or" else all
    return lambda document: every(test(document) for test in tests)


_Found = tuple[str, Callable[[Any], Iterator[Any]]]


def _at(shapes: Shapes, shape: str, path: list[str]) -> _Found | None:
    """Return type and values of what is at a path below a shape; None if nothing can be."""
    described = shapes[shape]
    if shape in _NAMED and path:
        return _named(shapes, shape, path)
    match described["type"]:
        case "list":
            found = _at(shapes, described["member"]["shape"], path)
            return None if found is None else (found[0], _each(found[1]))
        case "structure" if path:
            return _member(shapes, shape, path)
        case "map" if path:
            return _entry(shapes, described["value"]["shape"], path)
        case type_ if path == []:
            return ("" if type_ in ("structure", "map") else type_), _itself
    return None


def _member(shapes: Shapes, shape: str, path: list[str]) -> _Found | None:
    wanted = path[0].lower()
    members = shapes[shape]["members"]
    alias = _ALIASES.get((shape, wanted))
    name = alias or next((one for one in members if one.lower() == wanted), None)
    found = None if name is None else _at(shapes, members[name]["shape"], path[1:])
    if found is None:
        return None
    type_, below = found

    def values(document: Any) -> Iterator[Any]:
        if document.get(name) is not None:
            yield from below(document[name])

    return type_, values


def _entry(shapes: Shapes, value: str, path: list[str]) -> _Found | None:
    """Return what a key of a map leads to; a key may have dots, and holds the longest path."""
    key = ".".join(path)
    if shapes[value]["type"] != "structure":
        type_ = _MEASURED if shapes[value]["type"] == _TEXT else shapes[value]["type"]
        return type_, lambda document: iter([document[key]] if key in document else [])
    member = _member(shapes, value, path[-1:]) if len(path) > 1 else None
    if member is not None:
        return member[0], _below(".".join(path[:-1]), member[1])
    # A parameter is a number or a text, whichever it has.
    return _MEASURED, _below(key, _scalars)


def _named(shapes: Shapes, shape: str, path: list[str]) -> _Found | None:
    """Return what an item with a name has: a tag's value, or a statistic of a metric."""
    item = shapes[shape]["member"]["shape"]
    key, value = _NAMED[shape]
    if len(path) == 1 and path[0].lower() in (one.lower() for one in shapes[item]["members"]):
        found = _member(shapes, item, path)
        return None if found is None else (found[0], _each(found[1]))
    default = _member(shapes, item, [value or "Last"])
    statistic = None if value or len(path) < 2 else _member(shapes, item, path[-1:])
    if default is None:
        return None
    whole, below = ".".join(path), default[1]

    def values(items: Any) -> Iterator[Any]:
        named = [one for one in items if one[key] == whole]
        for one in named:
            yield from below(one)
        if statistic is not None and not named:
            wanted = ".".join(path[:-1])
            for one in items:
                if one[key] == wanted:
                    yield from statistic[1](one)

    return (statistic or default)[0], values


def _each(below: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
    return lambda items: (value for item in items for value in below(item))


def _below(key: str, below: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
    return lambda document: below(document[key]) if key in document else iter(())


def _itself(value: Any) -> Iterator[Any]:
    yield value


def _scalars(value: Document) -> Iterator[Any]:
    yield from value.values()


def _nested_test(shapes: Shapes, shape: str, nested: Document) -> Matches:
    """Return the test whether one item of a list passes all filters."""
    outer = nested["NestedPropertyName"]
    items = property_of(shapes, shape, outer)
    item = _item_shape(shapes, shape, outer)
    tests = []
    for one in nested["Filters"]:
        # AWS's own examples name the list again; what is compared is of one item alone.
        path = re.sub(f"^{re.escape(outer)}\\.", "", one["Name"], flags=re.IGNORECASE)
        tests.append(_test(property_of(shapes, item, path), one))
    return lambda document: any(all(test(one) for test in tests) for one in items.values(document))


def _item_shape(shapes: Shapes, shape: str, path: str) -> str:
    """Return the shape of an item of the list at a path that leads through structures."""
    for name in path.split("."):
        members = shapes[_inside(shapes, shape)].get("members", {})
        found = next((one for one in members if one.lower() == name.lower()), None)
        if found is None:
            raise ValidationException(f"Nested filters are not supported for {path}.")
        shape = members[found]["shape"]
    return _inside(shapes, shape)


def _inside(shapes: Shapes, shape: str) -> str:
    while shapes[shape]["type"] == "list":
        shape = shapes[shape]["member"]["shape"]
    return shape


def _test(prop: Property, asked: Document) -> Matches:
    """Return the test that one filter makes."""
    operator = asked.get("Operator", "Equals" if "Value" in asked else "Exists")
    if operator in ("Exists", "NotExists"):
        wanted = operator == "Exists"
        return lambda document: any(True for _ in prop.values(document)) is wanted
    if "Value" not in asked:
        raise ValidationException(f"The filter on {prop.name} has no Value.")
    compare = _comparison(prop, operator, asked["Value"])
    if operator == "NotEquals":
        return lambda document: not any(map(compare, prop.values(document)))
    return lambda document: any(map(compare, prop.values(document)))


def _comparison(prop: Property, operator: str, text: str) -> Callable[[Any], bool]:
    """Return whether one value stands to the filter's as the operator says; NotEquals as Equals."""
    if operator in ("Contains", "In"):
        if prop.type not in (_TEXT, _MEASURED):
            raise _unsupported(prop, operator)
        if operator == "Contains":
            return lambda value: text in str(value)
        choice = {one.strip() for one in text.split(",")}
        return lambda value: str(value) in choice
    if operator in ("Equals", "NotEquals"):
        return _equality(prop, text)
    order = _ORDERS[operator]
    if prop.type == _MEASURED:
        bound = _number(prop, text)
        return lambda value: (
            (number := _as_number(value, text)) is not None and order(number, bound)
        )
    if prop.type in _NUMBERS:
        bound = _number(prop, text)
    elif prop.type == "timestamp":
        bound = _time(prop, text)
    else:
        raise _unsupported(prop, operator)
    return lambda value: order(value, bound)


_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThan": lambda value, bound: value > bound,
    "GreaterThanOrEqualTo": lambda value, bound: value >= bound,
    "LessThan": lambda value, bound: value < bound,
    "LessThanOrEqualTo": lambda value, bound: value <= bound,
}


def _equality(prop: Property, text: str) -> Callable[[Any], bool]:
    if prop.type in _NUMBERS:
        number = _number(prop, text)
        return lambda value: bool(value == number)
    if prop.type == "timestamp":
        # Clients can't say fractions of a second.
        at = _time(prop, text)
        return lambda value: int(value) == int(at)
    if prop.type == "boolean":
        wanted = text.lower() == "true"
        return lambda value: bool(value is wanted)
    if prop.type == _MEASURED:
        return lambda value: (
            str(value) == text
            or ((one := _as_number(value, text)) is not None and one == _as_number(text, text))
        )
    if prop.type == _TEXT:
        return lambda value: bool(value == text)
    raise _unsupported(prop, "Equals")


def _as_number(value: Any, text: str) -> float | None:
    """Return a hyperparameter as a number: a whole one if the filter's value is one."""
    try:
        number = float(value)
        return number if "." in text or "e" in text.lower() else float(int(number))
    except (ValueError, OverflowError):
        return None


def _number(prop: Property, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValidationException(f"{prop.name} is compared with a number: {text}") from None


def _time(prop: Property, text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValidationException(
            f"{prop.name} is compared with a time such as 2020-01-31T23:59:59: {text}"
        ) from None


def _unsupported(prop: Property, operator: str) -> ValidationException:
    return ValidationException(f"The operator {operator} is not supported for {prop.name}.")
