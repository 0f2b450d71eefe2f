"""Every measure of a confusion matrix at once, under the names of the classes."""

import numpy as np

from minibn.errors import ArgumentError, ShapeError

from .confusion import checked_matrix
from .measures import (
    accuracy,
    balanced_accuracy,
    majority_baseline,
    matthews_correlation,
    precision_recall_f1,
)


def summarize(matrix, labels=None, positive=None):
    """Return every measure of a confusion matrix as plain Python values.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)
    labels : sequence, optional
        Names of the classes; by default 0 to K - 1.
    positive : object, optional
        With two classes, the label whose precision, recall and F1 are the headline; by default the second. It is
        matched as it is, or else by its text, or as a number: ``"1.0"`` is 1.

    Returns
    -------
    dict
        ``accuracy``, ``balanced_accuracy``, ``majority_baseline``, ``precision``, ``recall``, ``f1`` (with two
        classes those of the positive one, otherwise macro averages), ``mcc``, ``confusion_matrix``, ``labels``,
        ``per_class``, ``macro``, ``weighted``, ``positive`` (None unless there are two classes).

    Raises
    ------
    ArgumentError
        When the matrix counts no row, or ``positive`` is unknown or given for other than two classes.
    ShapeError
        When labels are too many or too few.

    Examples
    --------
    >>> from minibn.metrics import summarize
    >>> found = summarize([[9776, 24], [176, 24]])
    >>> {name: round(found[name], 3) for name in ("accuracy", "majority_baseline", "precision", "recall", "f1")}
    {'accuracy': 0.98, 'majority_baseline': 0.98, 'precision': 0.5, 'recall': 0.12, 'f1': 0.194}
    """
    matrix = checked_matrix(matrix)
    labels = _labels(labels, len(matrix))
    chosen = _positive(labels, positive)
    per_class = _per_class(matrix, labels)
    macro, weighted = _average(per_class, None), _average(per_class, matrix.sum(axis=1))
    headline = macro if chosen is None else per_class[chosen]
    return {
        "accuracy": accuracy(matrix),
        "balanced_accuracy": balanced_accuracy(matrix),
        "majority_baseline": majority_baseline(matrix),
        **{name: headline[name] for name in _AVERAGED},
        "mcc": matthews_correlation(matrix),
        "confusion_matrix": matrix.tolist(),
        "labels": labels,
        "per_class": per_class,
        "macro": macro,
        "weighted": weighted,
        "positive": None if chosen is None else labels[chosen],
    }


_AVERAGED = ("precision", "recall", "f1")


def _per_class(matrix, labels):
    columns = [column.tolist() for column in precision_recall_f1(matrix)]
    names = ("label", *_AVERAGED, "support")
    return [dict(zip(names, row, strict=True)) for row in zip(labels, *columns, strict=True)]


def _average(per_class, weights):
    return {
        name: float(np.average([entry[name] for entry in per_class], weights=weights)) for name in _AVERAGED
    }


def _labels(labels, size):
    labels = list(range(size)) if labels is None else list(labels)
    if len(labels) != size:
        raise ShapeError(f"labels: expected {size}, one for every row of the matrix, got {len(labels)}")
    return [label.item() if isinstance(label, np.generic) else label for label in labels]


def _positive(labels, positive):
    """Return the index of the positive class, or None unless there are two classes."""
    if len(labels) != 2 and positive is not None:
        raise ArgumentError(
            f"positive: only of two classes one can be positive, got {positive!r} for {len(labels)} classes; leave it out"
        )
    if positive is None:
        return 1 if len(labels) == 2 else None
    for k, label in enumerate(labels):
        if label == positive or str(label) == str(positive) or _same_number(label, positive):
            return k
    raise ArgumentError(f"positive: expected one of the labels {labels!r}, got {positive!r}")


def _same_number(label, text):
    """Say whether a number as text means a label, as ``1.0`` means 1."""
    try:
        return not isinstance(label, (bool, str)) and float(text) == label
    except (TypeError, ValueError):
        return False
