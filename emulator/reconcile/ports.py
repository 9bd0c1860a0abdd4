"""What the reconcilers need from the parts below, in their own words."""

from typing import Protocol


class Resolved(Protocol):
    """Which local image serves a reference."""

    @property
    def image(self) -> str: ...

    @property
    def image_id(self) -> str: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...

    @property
    def cpu_warning(self) -> str:
        """The one of `warnings` that says a GPU image was asked for; empty without it."""
        ...


class ResolveImage(Protocol):
    """Finds the local image for a reference; raises PermanentError saying what was looked for."""

    def __call__(self, reference: str) -> Resolved: ...
