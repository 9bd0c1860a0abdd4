"""What CreateEndpointConfig refuses of variants with an accelerator (contract D)."""

from emulator.call import Document
from emulator.catalogue.table import framework_of
from emulator.errors import ValidationException

_WITHOUT = frozenset({"Chainer"})
"""Frameworks of ours that never had a container for Elastic Inference on AWS."""


def check(variant: Document, model: Document) -> None:
    """Raise ValidationException if the model's framework never knew accelerators."""
    if not variant.get("AcceleratorType"):
        return
    framework = framework_of(model["PrimaryContainer"]["Image"])
    if framework in _WITHOUT:
        raise ValidationException(
            f"{framework.lower()} is not supported with Amazon Elastic Inference. Remove"
            f" AcceleratorType from the production variant {variant['VariantName']}, or serve its"
            " model with MXNet."
        )
