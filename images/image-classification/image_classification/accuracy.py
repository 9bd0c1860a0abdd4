"""Accuracy of predictions, counted over the batches of an epoch. Nothing here computes them."""

from __future__ import annotations

import numpy as np


class Tally:
    """Counts predictions, and those that are right.

    With `multi_label` each class of each picture is a prediction of its own: right if its
    probability is above a half exactly where the label is 1.
    """

    def __init__(self, *, multi_label: bool, top_k: int | None) -> None:
        self._multi_label = multi_label
        # Several classes of a picture may be right at once: no rank says which of them should be.
        self._top_k = None if multi_label else top_k
        self._counted = self._right = self._among = 0
        self.finite = True
        """Whether all probabilities have been numbers."""

    def add(self, probabilities: np.ndarray, label: np.ndarray) -> None:
        """Count predictions.

        Args:
            probabilities: shape (examples, classes).
            label: shape (examples,), or with `multi_label` (examples, classes).
        """
        self.finite = self.finite and bool(np.isfinite(probabilities).all())
        if self._multi_label:
            self._counted += label.size
            self._right += int(((probabilities > 0.5) == (label > 0.5)).sum())
            return
        self._counted += len(label)
        classes = label.astype(np.int64)
        self._right += int((probabilities.argmax(axis=1) == classes).sum())
        if self._top_k is not None:
            kept = min(self._top_k, probabilities.shape[1])
            best = np.argpartition(probabilities, -kept, axis=1)[:, -kept:]
            self._among += int((best == classes[:, np.newaxis]).any(axis=1).sum())

    def shares(self) -> list[tuple[str, float]]:
        """Return the names of the metrics, as the log has them (contract G3), and their values."""
        shares = [("accuracy", self._share(self._right))]
        if self._top_k is not None:
            shares.append((f"top_k_accuracy_{self._top_k}", self._share(self._among)))
        return shares

    def _share(self, count: int) -> float:
        return count / self._counted if self._counted else 0.0
