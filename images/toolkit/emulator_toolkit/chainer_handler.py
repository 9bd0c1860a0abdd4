"""Serving with Chainer: the default functions around the user's `model_fn`.

There is no default `model_fn`: how a Chainer model is saved is up to the script.
"""

import importlib
import os
from typing import Any

import chainer
import numpy as np
from sagemaker_inference import content_types, decoder
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.environment import Environment
from sagemaker_inference.transformer import Transformer


class ChainerInferenceHandler(DefaultInferenceHandler):
    """What happens to a request when the script does not say."""

    def default_input_fn(self, input_data: Any, content_type: str) -> np.ndarray:
        """Decode JSON, CSV or NPY; numbers written as text become float32, Chainer's own type."""
        array = decoder.decode(input_data, content_type)
        return array.astype(np.float32) if content_type in content_types.UTF8_TYPES else array

    def default_predict_fn(self, data: np.ndarray, model: Any) -> np.ndarray:
        """Call the model as for inference: no dropout, no graph for gradients."""
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            prediction = model(data)
        return prediction.data


class ChainerHandlerService(DefaultHandlerService):
    """The user's script on top of the defaults above."""

    def __init__(self) -> None:
        super().__init__(Transformer(default_inference_handler=ChainerInferenceHandler()))

    def initialize(self, context: Any) -> None:
        """Load the model; raises ModuleNotFoundError for a script that is named but not there."""
        if os.environ.get("SAGEMAKER_PROGRAM"):
            importlib.import_module(Environment().module_name)
        super().initialize(context)
