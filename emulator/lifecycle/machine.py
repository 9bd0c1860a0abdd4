"""State tables: how a resource may move, and nothing else; pure, imports nothing of ours."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

P = TypeVar("P", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class IllegalMove(Exception):
    """An event arrived in a phase whose table has no row for it: a bug of ours."""


def move(moves: Mapping[tuple[P, E], P], phase: P, event: E) -> P:
    """Return the phase that follows; raises IllegalMove for an unlisted pair."""
    try:
        return moves[phase, event]
    except KeyError:
        raise IllegalMove(f"{event} while {phase}") from None


def mermaid(moves: Mapping[tuple[P, E], P]) -> str:
    """Return the table as a Mermaid state diagram, for docs/states.md."""
    lines = [f"    {start} --> {end}: {event}" for (start, event), end in moves.items()]
    return "\n".join(["stateDiagram-v2", *lines])
