"""Precision-recall curves as charts."""

import numpy as np

from minibn.lab.report import Lines, Series
from minibn.metrics import average_precision, precision_recall_curve

_MOST_STEPS = 400  # more cannot be told apart in a picture


def curve_series(label, y_true, scores, arm=None):
    """Return a precision-recall curve as a line with a step at every positive row, as average precision sums it.

    Parameters
    ----------
    label : str
        The average precision is appended.
    y_true : array_like of bool, shape (N,)
        True for the positive class.
    scores : array_like of float, shape (N,)
    arm : str, optional
        See :class:`minibn.lab.Series`.

    Returns
    -------
    Series
    """
    precision, recall, _ = precision_recall_curve(y_true, scores)
    # From the highest threshold down; of equal recalls the first, which has the best precision.
    recall, first = np.unique(recall[:-1][::-1], return_index=True)
    precision = precision[:-1][::-1][first]
    kept = np.unique(np.linspace(0, len(recall) - 1, min(len(recall), _MOST_STEPS)).astype(int))
    x, y = _steps(recall[kept], precision[kept])
    return Series(f"{label}, average precision {average_precision(y_true, scores):.3f}", x, y, arm=arm)


def _steps(recall, precision):
    """Return the corners of steps that reach each recall at its precision."""
    starts = np.concatenate(([0.0], recall[:-1]))
    return np.stack([starts, recall], 1).ravel().tolist(), np.repeat(precision, 2).tolist()


def threshold_point(label, precision, recall):
    """Return one threshold as a point among curves."""
    return Series(label, [recall], [precision], style="points")


def precision_recall_chart(series, prevalence, title="precision and recall at every threshold"):
    """Return curves over one pair of axes, with the line that scores without any information would draw.

    Parameters
    ----------
    series : sequence of Series
        From :func:`curve_series` and :func:`threshold_point`.
    prevalence : float
        Share of positive rows.
    title : str

    Returns
    -------
    Lines
    """
    mark = (f"a coin: {prevalence:.2g}", prevalence)
    return Lines(
        title, "recall: positive rows found", "precision: right among those called positive",
        tuple(series), marks=(mark,),
    )  # fmt: skip
