"""How well scores put the rows of one class before all others, whatever the threshold."""

import numpy as np

from minibn import foreign
from minibn.errors import ArgumentError, ShapeError


def precision_recall_curve(y_true, scores):
    """Return precision and recall at every threshold that changes a prediction.

    A row counts as positive where its score is at least the threshold.

    Parameters
    ----------
    y_true : array_like of bool or of 0 and 1, shape (N,)
        True, or 1, for the positive class.
    scores : array_like of float, shape (N,)
        Higher for rows that look more positive; a probability, for example. Equal scores share a threshold.

    Returns
    -------
    precision, recall : ndarray of float64, shape (T + 1,)
        One pair a threshold, and at the end precision 1 and recall 0, which belong to none.
    thresholds : ndarray of the scores' dtype, shape (T,)
        The distinct scores, ascending; recall falls with them.

    Raises
    ------
    ArgumentError
        When no row is positive, a label is neither 0 nor 1, or a score is not finite.
    ShapeError
        When the arrays do not have one axis of the same length.

    Examples
    --------
    >>> from minibn.metrics import precision_recall_curve
    >>> precision, recall, thresholds = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> precision.round(3), recall, thresholds
    (array([0.5  , 0.667, 0.5  , 1.   , 1.   ]), array([1. , 1. , 0.5, 0.5, 0. ]), array([0.1 , 0.35, 0.4 , 0.8 ]))
    """
    thresholds, hits, alarms = counts_by_threshold(y_true, scores)
    return np.append(hits / alarms, 1.0), np.append(hits / hits[0], 0.0), thresholds


def average_precision(y_true, scores):
    """Return the area under the steps of the precision-recall curve.

    The sum of ``(R_k - R_k-1) P_k`` over thresholds from the highest down: the mean precision at each positive row.
    Scores that say nothing get the share of positive rows; the right order gets 1. No line is drawn between points,
    which would flatter (J. Davis and M. Goadrich, "The relationship between precision-recall and ROC curves", 2006).

    Parameters
    ----------
    y_true : array_like of bool or of 0 and 1, shape (N,)
    scores : array_like of float, shape (N,)

    Returns
    -------
    float

    Raises
    ------
    ArgumentError, ShapeError
        As for :func:`precision_recall_curve`.

    Examples
    --------
    >>> from minibn.metrics import average_precision
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    precision, recall, _ = precision_recall_curve(y_true, scores)
    return float(-np.sum(np.diff(recall) * precision[:-1]))


def counts_by_threshold(y_true, scores):
    """Return the distinct scores, ascending, with the positive rows and all rows that reach each."""
    y_true, scores = _checked(y_true, scores)
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], y_true[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] > ordered[:-1])))
    before = np.concatenate(([0], np.cumsum(positive)))[first]
    return ordered[first], positive.sum() - before, len(ordered) - first


def _checked(y_true, scores):
    y_true = np.asarray(foreign.exchanged("y_true", y_true))
    scores = np.asarray(foreign.exchanged("scores", scores))
    if y_true.ndim != 1 or y_true.shape != scores.shape:
        raise ShapeError(
            f"y_true and scores: expected one shape (N,), got {y_true.shape} and {scores.shape}; give one score a row"
        )
    if y_true.dtype.kind not in "biuf" or not np.isin(y_true, (0, 1)).all():
        raise ArgumentError(
            "y_true: expected True or 1 for positive rows, else False or 0; compare with the class"
        )
    if scores.dtype.kind not in "biuf" or not np.isfinite(scores).all():
        raise ArgumentError("scores: expected finite numbers; leave out rows without a score")
    if not y_true.any():
        raise ArgumentError("y_true: expected at least one positive row, got none; give rows of both classes")
    return y_true.astype(np.int64), scores
