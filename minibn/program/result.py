"""What playing a program reports."""

from collections.abc import Sequence
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
    sums : sequence of float
        Sum of ``losses * weights``, and of ``weights``, over all batches.
    """

    losses: np.ndarray
    weights: np.ndarray
    correct: np.ndarray | None
    failed_step: int | None
    rows: float
    sums: Sequence

    @property
    def mean_loss(self):
        """Mean loss over all rows of the epoch, each batch at the weights it met."""
        total, weight = self.sums
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
    sums : ndarray of float64, shape (2, epochs)
        As of :class:`EpochResult`.
    correct : ndarray of float64, shape (epochs, steps), or None
    rows : float, or ndarray of float64, shape (epochs,)
    """

    sums: np.ndarray
    correct: np.ndarray | None
    rows: float | np.ndarray

    def mean_losses(self):
        """Return the mean loss of each epoch, list of float."""
        with np.errstate(all="ignore"):
            return (self.sums[0] / self.sums[1]).tolist()

    def accuracies(self):
        """Return the share of rows right in each epoch, list of float; of None for a regression."""
        if self.correct is None:
            return [None] * self.sums.shape[1]
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


def epoch_result(results, failed, rows, steps):
    """Return what a play of a single pass reports, epochs of so many steps one behind the other.

    ``results`` and ``failed`` are as of :func:`epochs_result`.
    """
    step = None if failed < 0 else int(failed)
    if step is not None:
        results = results[:, : step + 1]
    correct = results[4] if len(results) > 4 else None
    sums = _last_sums(results, steps)
    return EpochResult(results[0], results[1], correct, step, rows, sums)


def _last_sums(results, steps):
    """Return what all epochs lost, and what that divides by: their sums begin anew with each of them."""
    played = results.shape[1]
    if 0 < played <= steps:  # a single one
        return results.item(2, -1), results.item(3, -1)
    ends = [*range(steps - 1, played - 1, max(steps, 1)), played - 1] if played else []
    return tuple(results[2:4, ends].sum(axis=1).tolist())


def epochs_result(results, failed, passes, totals):
    """Divide what a play wrote among the passes of a training, an evaluation, and perhaps another.

    Parameters
    ----------
    results : ndarray of float64, shape (5, epochs * steps), or (4, epochs * steps) for a regression
        As :func:`minibn.program.executor.play` writes them.
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
        part = epochs[:, :, start:end]
        sums = part[2:4, :, -1] if end > start else np.zeros((2, whole))
        rows = total[:whole] if isinstance(total, np.ndarray) else total
        found.append(Figures(sums, part[4] if len(part) > 4 else None, rows))
    return EpochsResult(*found, *[None] * (3 - len(found)), None if step is None else min(step, ends[0]))
