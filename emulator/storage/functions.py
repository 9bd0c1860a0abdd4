"""Lambda by moto, which keeps functions here: none is ever run.

moto would run one in a container of an image that it fetches, or invent its answer. Neither is
honest here, so that whoever invokes a function is told; what another service sends to one is
dropped, and the log says so.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import moto.awslambda.models
from moto.awslambda.responses import LambdaResponse

logger = logging.getLogger(__name__)

moto_lambda: Any = moto.awslambda.models


class Lambda(LambdaResponse):
    """moto's Lambda, which refuses to invoke."""

    def invoke(self) -> Any:
        """Refuse; a function that is not there is told as such."""
        self._refuse()

    def invoke_async(self) -> Any:
        """Refuse, as `invoke` does."""
        self._refuse()

    def _refuse(self) -> None:
        function = unquote(self.path.rstrip("/").split("/")[-2])
        found = self.backend.get_function(function, self._get_param("Qualifier"))
        raise NotImplementedError(
            f"The function {found.function_name} was not run: the emulator keeps functions of"
            f" Lambda, and has no images of their runtimes to run them in."
        )


def _not_run(function: Any, *_: Any) -> str:
    """Stand in for what moto does when another service, such as SNS, calls a function."""
    logger.warning("the function %s was not run: none is, here", function.function_name)
    return ""


def _content(key: Any) -> Any:
    """Return moto's view of a function's code in S3, whose bodies are files here."""
    return _moto_content(_Content(key))


class _Content:
    def __init__(self, key: Any) -> None:
        self.value, self.size = bytes(key.body), key.size


_moto_content = moto_lambda._s3_content
moto_lambda._s3_content = _content
moto_lambda.LambdaFunction.invoke = _not_run

HANDLERS: Mapping[str, Callable[..., Any]] = {"awslambda": Lambda.dispatch}
"""What answers in place of moto's own handler, by moto's package."""
