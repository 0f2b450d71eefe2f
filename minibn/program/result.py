"""What playing a program reports."""

from dataclasses import dataclass
from itertools import accumulate

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


@dataclass(slots=True, eq=False)
class Figures:
    """What the same pass reports of several epochs.

    Attributes
    ----------
    losses, weights : ndarray of float64, shape (epochs, steps)
        As of :class:`EpochResult`.
    correct : ndarray of float64, shape (epochs, steps), or None
    rows : float, or ndarray of float64, shape (epochs,)
    """

    losses: np.ndarray
    weights: np.ndarray
    correct: np.ndarray | None
    rows: float | np.ndarray

    def mean_losses(self):
        """Return the mean loss of each epoch, list of float: the same bits as of one after the other."""
        with np.errstate(all="ignore"):
            # one after the other, from 0.0
            totals = np.cumsum(self.losses * self.weights, axis=1)[:, -1:] + 0.0
            return (totals / np.cumsum(self.weights, axis=1)[:, -1:]).reshape(-1).tolist()

    def accuracies(self):
        """Return the share of rows right in each epoch, list of float; of None for a regression."""
        if self.correct is None:
            return [None] * len(self.losses)
        return (self.correct.sum(axis=1) / self.rows).tolist()


@dataclass(slots=True, eq=False)
class EpochsResult:
    """What several epochs report, with an evaluation after each.

    Attributes
    ----------
    trained, evaluated : Figures
        Of the whole epochs.
    held : Figures or None
        Of the validation rows.
    failed_step : int or None
        What ended the epoch after those: the first step, counted from 0, whose loss was not finite, and updated
        nothing; or the number of steps, where the loss of the evaluation behind them was not finite.
    """

    trained: Figures
    evaluated: Figures
    held: Figures | None
    failed_step: int | None


def total(weights, rows):
    """Return how many rows there are, or the sum of their weights where there are any; of the last axis."""
    return weights[rows].sum(axis=-1) if weights.size else rows.shape[-1]


def epoch_result(results, failed, rows):
    """Return what a play of a single pass reports: ``results`` and ``failed`` as of :func:`epochs_result`."""
    if failed >= 0:
        results = results[:, : failed + 1]
    correct = results[2] if len(results) > 2 else None
    return EpochResult(results[0], results[1], correct, None if failed < 0 else int(failed), rows)


def epochs_result(results, failed, passes, totals):
    """Divide what a play wrote among the passes of a training, an evaluation, and perhaps another.

    Parameters
    ----------
    results : ndarray of float64, shape (3, epochs * steps), or (2, epochs * steps) for a regression
        Losses, weights, and rows right of all batches in the order of play.
    failed : int
        Step that ended it, negative for none.
    passes : sequence of Pass
    totals : sequence of (float or ndarray of float64, shape (epochs,))
        Rows of each pass, or the sums of their weights.

    Returns
    -------
    EpochsResult
    """
    ends = list(accumulate(one.steps for one in passes))
    whole, step = divmod(failed, ends[-1]) if failed >= 0 else (results.shape[1] // ends[-1], None)
    epochs = results[:, : whole * ends[-1]].reshape(len(results), whole, ends[-1])
    found = []
    for start, end, total in zip([0, *ends], ends, totals, strict=False):
        losses, weights, *correct = epochs[:, :, start:end]
        rows = total[:whole] if isinstance(total, np.ndarray) else total
        found.append(Figures(losses, weights, correct[0] if correct else None, rows))
    return EpochsResult(*found, *[None] * (3 - len(found)), None if step is None else min(step, ends[0]))
