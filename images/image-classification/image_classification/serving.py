"""Serving: one picture in, the probability of each class out (contract G4).

A model is whatever has the form of Amazon's artifacts, whoever trained it. It is loaded, and run
once, before the first request; one that can't be served ends the process with an exception that
says why. Predictions run on the CPU, or on what stands behind an endpoint's accelerator.
"""

import io
import json
import os
import re
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any

import cv2
import mxnet as mx
import numpy as np
from PIL import Image

from image_classification import pictures
from image_classification.negotiation import (
    JSON,
    JSON_LINES,
    Refused,
    check_content_type,
    chosen,
)

MOST_PIXELS = 100_000_000
"""Of a picture that is decoded, which takes six bytes for each."""
LARGEST_REQUEST_MB = 6
"""What SageMaker lets through to an endpoint (contract C2)."""
_PARAMETERS = re.compile(r"image-classification-(\d{4,})\.params")

# The size is looked at here, and answered to rather than warned of.
Image.MAX_IMAGE_PIXELS = None


class Model:
    """A network and its weights, bound to one picture at a time.

    Raises what ``load`` does.
    """

    def __init__(self, directory: Path) -> None:
        symbol = _symbol(directory)
        self.parameters = newest_parameters(directory)
        self.shape = image_shape(directory)
        weights = _weights(self.parameters)
        arguments = symbol.list_arguments()
        if "data" not in arguments:
            raise ValueError("The network of the model has no input named data.")
        absent = [
            name
            for name in arguments + symbol.list_auxiliary_states()
            if name != "data" and not name.endswith("label") and name not in weights
        ]
        if absent:
            raise ValueError(f"{self.parameters.name} has no weights for {', '.join(absent[:5])}.")
        self._executor = symbol.simple_bind(device(), grad_req="null", data=(1, *self.shape))
        bound = {**self._executor.arg_dict, **self._executor.aux_dict}
        for name in weights.keys() & bound.keys():
            if weights[name].shape != bound[name].shape:
                raise ValueError(
                    f"{self.parameters.name} has weights of the shape {weights[name].shape} for"
                    f" {name}; the network's are {bound[name].shape}."
                )
            bound[name][:] = weights[name].astype(bound[name].dtype)
        # The first run of a network is much slower than those that follow.
        self.classes = len(self.predict(np.zeros(self.shape, dtype=np.float32)))

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Return the probability of each class.

        Args:
            pixels: of one picture: channels first, 0 to 255.
        """
        self._executor.arg_dict["data"][:] = pixels[np.newaxis]
        [probabilities] = self._executor.forward(is_train=False)[:1]
        return probabilities.asnumpy()[0]


def device() -> mx.Context:
    """Return what predictions run on."""
    accelerated = os.environ.get("SAGEMAKER_INFERENCE_ACCELERATOR_PRESENT") == "true"
    return mx.eia() if accelerated else mx.cpu()


def _symbol(directory: Path) -> mx.sym.Symbol:
    path = directory / "image-classification-symbol.json"
    if not path.is_file():
        raise FileNotFoundError(f"The model has no {path.name} at the top of its archive.")
    try:
        return mx.sym.load(str(path))
    except mx.base.MXNetError as error:
        raise ValueError(f"{path.name} is no network: {_first_line(error)}") from None


def newest_parameters(directory: Path) -> Path:
    """Return the weights of the last epoch that a model has.

    An archive has several with `checkpoint_frequency`; Amazon does not say which of them serve.

    Raises:
        FileNotFoundError: there are none.
    """
    epochs = {
        int(found[1]): path
        for path in directory.iterdir()
        if (found := _PARAMETERS.fullmatch(path.name))
    }
    if not epochs:
        raise FileNotFoundError(
            "The model has no image-classification-NNNN.params at the top of its archive."
        )
    return epochs[max(epochs)]


def _weights(path: Path) -> dict[str, mx.nd.NDArray]:
    """Return a parameter file's arrays under their bare names."""
    try:
        arrays = mx.nd.load(str(path))
    except mx.base.MXNetError as error:
        raise ValueError(f"{path.name} can't be read: {_first_line(error)}") from None
    if not isinstance(arrays, dict):
        raise ValueError(f"{path.name} has arrays without names.")
    return {name.partition(":")[2]: array for name, array in arrays.items()}


def image_shape(directory: Path) -> tuple[int, int, int]:
    """Return channels, height and width of the pictures that a model was trained on.

    Raises:
        FileNotFoundError: no file of the model tells.
        ValueError: the file can't be understood.
    """
    shapes, settings = directory / "model-shapes.json", directory / "hyperparams.json"
    path = shapes if shapes.is_file() else settings
    if not path.is_file():
        raise FileNotFoundError(
            "The size of the model's pictures is unknown: there is neither model-shapes.json nor"
            " hyperparams.json at the top of its archive."
        )
    try:
        document = json.loads(path.read_text())
        if path == shapes:
            [found] = [each["shape"][1:] for each in document if each["name"] == "data"]
        else:
            found = document["image_shape"].split(",")
        channels, height, width = map(int, found)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} does not have the shape of the network's input.") from None
    return channels, height, width


def _first_line(error: Exception) -> str:
    """Return what an error of MXNet is about; a C++ stack follows."""
    return str(error).strip().splitlines()[-1]


class Service:
    """The handler that the images' server calls."""

    def initialize(self, context: Any) -> None:
        """Load the model; an exception ends the server."""
        self._model = Model(Path(context.system_properties["model_dir"]))
        batch = os.environ.get("SAGEMAKER_BATCH", "").lower() == "true"
        self._preferred = (JSON_LINES, JSON) if batch else (JSON, JSON_LINES)
        shape = "x".join(map(str, self._model.shape))
        name = self._model.parameters.name
        print(f"Serving {name}: {shape}, {self._model.classes} classes.", flush=True)

    def execution_parameters(self) -> dict[str, Any]:
        """Return how batch transform is to call (contract F1)."""
        return {
            "MaxConcurrentTransforms": int(os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or 1),
            "BatchStrategy": "SINGLE_RECORD",
            "MaxPayloadInMB": LARGEST_REQUEST_MB,
        }

    def handle(self, data: list[dict[str, bytes]], context: Any) -> list[str]:
        """Answer one request."""
        headers = context.request_processor[0].get_request_properties()
        try:
            check_content_type(headers.get("Content-Type", ""))
            accept = chosen(headers.get("Accept", ""), self._preferred)
            pixels = prepared(data[0]["body"], self._model.shape)
            probabilities = self._model.predict(pixels).tolist()
        except Refused as refused:
            context.set_response_status(refused.status)
            return [str(refused)]
        except Exception as error:
            traceback.print_exc()
            context.set_response_status(HTTPStatus.INTERNAL_SERVER_ERROR)
            return [f"Algorithm Error: {error}"]
        context.set_response_content_type(0, accept)
        if accept == JSON_LINES:
            return [json.dumps({"prediction": probabilities}) + "\n"]
        return [json.dumps(probabilities)]


def prepared(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a picture's pixels as the network takes them: stretched to its size, never cut.

    Args:
        data: a file, as JPEG or PNG have it.
        shape: channels, height and width.

    Raises:
        Refused: that is no picture, or one too large to decode.
    """
    if not data:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "The request has no body: send the bytes of a picture"
        )
    check_size(data)
    try:
        picture = pictures.decode(data)
    except pictures.NotAPicture as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is no picture: {error}") from None
    channels, height, width = shape
    stretched = pictures.stretched(picture, height, width)
    if channels == 1:
        stretched = cv2.cvtColor(stretched, cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]
    return stretched.transpose(2, 0, 1)


def check_size(data: bytes) -> None:
    """Raise ``Refused`` for a picture so large that decoding it would take all memory."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, ValueError):
        return  # whether it is a picture at all is the decoder's to say
    if width * height > MOST_PIXELS:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The picture has {width} x {height} pixels; at most {MOST_PIXELS} are decoded",
        )
