"""Labels of images: from what the data says to what the network is trained with, or a refusal.

Labels come as numbers of image records and .lst files, or as the JSON text of an augmented
manifest (contract G2). Nothing here reads a file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from image_classification.errors import CustomerError


@dataclass(frozen=True)
class Labels:
    """How a channel's labels are to be read.

    Attributes:
        num_classes, multi_label: the hyperparameters.
        class_ids: with `multi_label`, whether a label lists the classes' numbers, rather than a 0
            or a 1 for each class.
    """

    num_classes: int
    multi_label: bool
    class_ids: bool = False

    def of(self, values: Sequence[float], name: str) -> np.ndarray:
        """Return the label to train with: one class's number, or a 0 or 1 for each class.

        Args:
            values: the labels as found.
            name: of the image, for messages.

        Raises:
            CustomerError: the labels don't fit the hyperparameters.
        """
        if self.multi_label and not self.class_ids:
            return self._multi_hot(values, name)
        for value in values:
            self._check_class(value, name)
        if self.multi_label:
            label = np.zeros(self.num_classes, np.float32)
            label[[int(value) for value in values]] = 1
            return label
        if len(values) != 1:
            raise CustomerError(
                f"{name} has {len(values)} labels, but multi_label is 0: give each image the "
                "number of its class as the only label, or set multi_label to 1."
            )
        return np.array(values, np.float32)

    def parse(self, text: bytes, name: str) -> np.ndarray:
        """Return the label that is written as JSON: `3`, `"3"`, `[0, 1]` or `"[0, 1]"`.

        Raises:
            CustomerError: the text is something else, or doesn't fit the hyperparameters.
        """
        try:
            found = json.loads(text)
            if isinstance(found, str):
                found = json.loads(found)
            values = found if isinstance(found, list) else [found]
            if not all(type(value) in (int, float) for value in values):
                raise ValueError("a label is not a number")
        # A picture's bytes are no UTF-8, and a deep list is no label.
        except (ValueError, RecursionError):
            raise CustomerError(
                f"{name} has no label: {text[:32]!r} is neither a number nor a list of numbers. "
                "A channel that is piped in RecordIO records must be an augmented manifest; its "
                "AttributeNames name the image's attribute first and its label's second, no others."
            ) from None
        return self.of(values, name)

    def _multi_hot(self, values: Sequence[float], name: str) -> np.ndarray:
        if len(values) != self.num_classes:
            raise CustomerError(
                "Mismatch between number of labels in the multi-label data "
                f"({len(values)}) and the num_classes parameter ({self.num_classes})."
            )
        if not all(value in (0, 1) for value in values):
            raise CustomerError(
                f"{name} has labels other than 0 and 1: {_listed(values)}. Labels in the "
                "multi-hot format say 0 or 1 for each class; numbers of classes need "
                "label-format=class-id in the channel's content type."
            )
        return np.array(values, np.float32)

    def _check_class(self, value: float, name: str) -> None:
        if not math.isfinite(value) or value != int(value):
            raise CustomerError(f"{name} has the label {value:g}, which is not a whole number.")
        if not 0 <= value < self.num_classes:
            raise CustomerError(
                f"{name} has the label {int(value)}, but the num_classes parameter is "
                f"{self.num_classes}: labels go from 0 to {self.num_classes - 1}."
            )


def _listed(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:g}" for value in values[:8])
    return f"{shown}, ..." if len(values) > 8 else shown
