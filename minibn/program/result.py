"""What playing a program reports."""

from dataclasses import dataclass

import numpy as np


@dataclass(slots=True, eq=False)
class EpochResult:
    """What one epoch of training, or one evaluation, reports.

    Attributes
    ----------
    losses, weights : ndarray of float64, shape (steps,)
        Mean loss of each batch before its update, and what that mean divides by.
    correct : ndarray of float64, shape (steps,), or None
        Rows classified right; None for a regression.
    failed_step : int or None
        First step of training, counted from 0, whose loss was not finite; nothing was updated from there on.
    rows : int or float
        Rows of the epoch, or the sum of their sample weights, which ``correct`` then adds up too.
    """

    losses: np.ndarray
    weights: np.ndarray
    correct: np.ndarray | None
    failed_step: int | None
    rows: float

    @property
    def mean_loss(self):
        """Mean loss over all rows of the epoch, each batch at the weights it met."""
        total = weight = 0.0
        for loss, share in zip(self.losses.tolist(), self.weights.tolist(), strict=True):
            total, weight = total + loss * share, weight + share
        return total / weight

    @property
    def accuracy(self):
        """Share of rows classified right; None for a regression."""
        return None if self.correct is None else float(self.correct.sum() / self.rows)
