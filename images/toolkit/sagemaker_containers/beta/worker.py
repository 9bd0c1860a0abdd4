"""An answer with its content type, as scripts' `output_fn` and `transform_fn` make it."""

from typing import Any


def Response(response: Any = None, accept: str = "", mimetype: str = "") -> tuple[Any, str]:
    """Return body and content type, as the handlers of today take both from a script."""
    return response, accept or mimetype
