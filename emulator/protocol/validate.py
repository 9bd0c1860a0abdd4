"""The model's constraints and the sentence that lists what breaks them (contract A2); pure.

Each shape is compiled once into a function, so that a request pays only for the constraints it
has. Types are not checked here: ``parse`` refuses a document whose types are wrong.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from emulator.call import Document
from emulator.errors import ValidationException
from emulator.protocol.model import Service, Shape
from emulator.protocol.pattern import matcher, printed

# Where the emulator deliberately takes more than the model's enums: instance types that only the
# SDK's local mode knows, so that one script runs with and without it.
_LOCAL_INSTANCES = ("local", "local_gpu")
WIDENED: Mapping[str, tuple[str, ...]] = {
    "TrainingInstanceType": _LOCAL_INSTANCES,
    "ProductionVariantInstanceType": _LOCAL_INSTANCES,
    "TransformInstanceType": _LOCAL_INSTANCES,
    "ProcessingInstanceType": _LOCAL_INSTANCES,
    "InstanceType": _LOCAL_INSTANCES,
    "ProductionVariantAcceleratorType": ("local_sagemaker_notebook",),
}

# And more than the model's patterns: code that is on this machine, or reached by http.
ALSO_MATCHING: Mapping[str, str] = {
    "CodeRepositoryNameOrUrl": r"http://([^/]+)/?(.*)$|^(file://)?/(.*)$",
}

_TYPES_WITH_LENGTH = ("string", "list", "map", "blob")

# (text of the rule, whether a value keeps it)
Rule = tuple[str, Callable[[Any], bool]]
# Adds to the last argument one item for each rule that the value at the path breaks.
Check = Callable[[Any, str, list[str]], None]


def require_valid(service: Service, shape: str, document: Document) -> None:
    """Raise ValidationException naming every constraint of ``shape`` that ``document`` breaks."""
    found = violations(service, shape, document)
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise ValidationException(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def violations(service: Service, shape: str, document: Document) -> list[str]:
    """Return one item per broken constraint, in the order of the model; empty if there is none."""
    found: list[str] = []
    check = _check(service, shape)
    if check is not None:
        check(document, "", found)
    return found


@cache
def _check(service: Service, name: str) -> Check | None:
    """Return the check of one shape; None if nothing can be wrong with a value of it."""
    shape = service.shapes[name]
    rules = tuple(_rules(name, shape))
    match shape["type"]:
        case "structure":
            return _structure_check(service, shape)
        case "list":
            return _list_check(service, shape, rules)
        case "map":
            return _map_check(service, shape, rules)
        case _:
            return _scalar_check(rules) if rules else None


def _scalar_check(rules: tuple[Rule, ...]) -> Check:
    def check(value: Any, path: str, found: list[str]) -> None:
        for text, keeps in rules:
            if not keeps(value):
                found.append(_item(value, path, text))

    return check


def _structure_check(service: Service, shape: Shape) -> Check:
    required = shape.get("required", ())
    members = {name: member["shape"] for name, member in shape["members"].items()}
    positions = {name: place for place, name in enumerate(members)}
    paths = {name: name[0].lower() + name[1:] for name in members}

    def check(value: Any, path: str, found: list[str]) -> None:
        before = f"{path}." if path else ""
        absent = [name for name in required if name not in value]
        for name in sorted((*value, *absent), key=positions.__getitem__):
            if name in value:
                inner = _check(service, members[name])
                if inner is not None:
                    inner(value[name], before + paths[name], found)
            else:
                found.append(_item(None, before + paths[name], _NOT_NULL))

    return check


def _list_check(service: Service, shape: Shape, rules: tuple[Rule, ...]) -> Check:
    own = _scalar_check(rules)
    member = shape["member"]["shape"]

    def check(value: Any, path: str, found: list[str]) -> None:
        own(value, path, found)
        inner = _check(service, member)
        for place, item in enumerate(value, start=1):
            if item is None:
                found.append(_item(None, f"{path}.{place}.member", _NOT_NULL))
            elif inner is not None:
                inner(item, f"{path}.{place}.member", found)

    return check


def _map_check(service: Service, shape: Shape, rules: tuple[Rule, ...]) -> Check:
    own = _scalar_check(rules)
    key_rules, key_text = _entry_rules(service, shape["key"]["shape"], "key")
    value_name = shape["value"]["shape"]
    value_rules, value_text = _entry_rules(service, value_name, "value")
    nested = service.shapes[value_name]["type"] in ("structure", "list", "map")

    def check(value: Any, path: str, found: list[str]) -> None:
        own(value, path, found)
        if not all(keeps(key) for key in value for keeps in key_rules):
            found.append(_item(value, path, key_text))
        if not all(keeps(item) for item in value.values() for keeps in value_rules):
            found.append(_item(value, path, value_text))
        inner = _check(service, value_name) if nested else None
        if inner is not None:
            for key, item in value.items():
                inner(item, f"{path}.{key}.member", found)

    return check


def _entry_rules(
    service: Service, name: str, side: str
) -> tuple[tuple[Callable[[Any], bool], ...], str]:
    """Return the tests of a map's keys or values and the one text that stands for all of them."""
    shape = service.shapes[name]
    if shape["type"] in ("structure", "list", "map"):
        return (), ""
    rules = tuple(_rules(name, shape, pattern_last=True))
    texts = ", ".join(text for text, _ in rules)
    tests = tuple(keeps for _, keeps in rules)
    return tests, f"Map {side} must satisfy constraint: [{texts}]"


_NOT_NULL = "Member must not be null"


def _rules(name: str, shape: Shape, *, pattern_last: bool = False) -> list[Rule]:
    """Return the rules of a shape itself, in the order in which the service prints them."""
    bounds = _length_rules(shape) if shape["type"] in _TYPES_WITH_LENGTH else _value_rules(shape)
    pattern = _pattern_rules(name, shape)
    values = _enum_rules(name, shape)
    return [*bounds, *pattern, *values] if pattern_last else [*values, *pattern, *bounds]


def _length_rules(shape: Shape) -> list[Rule]:
    rules: list[Rule] = []
    if (most := shape.get("max")) is not None:
        text = f"Member must have length less than or equal to {most}"
        rules.append((text, lambda value: len(value) <= most))
    if (least := shape.get("min")) is not None:
        text = f"Member must have length greater than or equal to {least}"
        rules.append((text, lambda value: len(value) >= least))
    return rules


def _value_rules(shape: Shape) -> list[Rule]:
    rules: list[Rule] = []
    if (most := shape.get("max")) is not None:
        text = f"Member must have value less than or equal to {most}"
        rules.append((text, lambda value: value <= most))
    if (least := shape.get("min")) is not None:
        text = f"Member must have value greater than or equal to {least}"
        rules.append((text, lambda value: value >= least))
    return rules


def _pattern_rules(name: str, shape: Shape) -> list[Rule]:
    pattern = shape.get("pattern")
    if pattern is None:
        return []
    text = f"Member must satisfy regular expression pattern: {printed(pattern)}"
    matches = matcher(pattern)
    if name not in ALSO_MATCHING:
        return [(text, matches)]
    also = matcher(ALSO_MATCHING[name])
    return [(text, lambda value: matches(value) or also(value))]


def _enum_rules(name: str, shape: Shape) -> list[Rule]:
    enum = shape.get("enum")
    if enum is None:
        return []
    allowed = frozenset(enum) | frozenset(WIDENED.get(name, ()))
    return [(f"Member must satisfy enum value set: [{', '.join(enum)}]", allowed.__contains__)]


def _item(value: Any, path: str, rule: str) -> str:
    shown = "null" if value is None else f"'{_shown(value)}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {rule}"


def _shown(value: Any) -> str:
    """Return a value as Java prints it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
        case list():
            return f"[{', '.join(map(_shown, value))}]"
        case _:
            return str(value)
