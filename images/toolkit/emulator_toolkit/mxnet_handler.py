"""Amazon's MXNet handler service, without the two things that no longer hold.

`mx.eia` was only ever in Amazon's own build of MXNet: without an accelerator's library, the CPU
stands in. And a Module checkpoint in the default layout needs no script at all.
"""

import importlib.util
import os

import mxnet as mx
from sagemaker_inference.environment import Environment
from sagemaker_inference.transformer import Transformer
from sagemaker_mxnet_serving_container.handler_service import HandlerService
from sagemaker_mxnet_serving_container.mxnet_module_transformer import MXNetModuleTransformer

if not hasattr(mx, "eia"):
    mx.eia = mx.cpu


class MXNetHandlerService(HandlerService):
    """Serves by the user's script, or by the default functions when there is none."""

    @staticmethod
    def _user_module_transformer(model_dir: str) -> Transformer:
        named = os.environ.get("SAGEMAKER_PROGRAM")
        if not named and importlib.util.find_spec(Environment().module_name) is None:
            return MXNetModuleTransformer()
        return HandlerService._user_module_transformer(model_dir)
