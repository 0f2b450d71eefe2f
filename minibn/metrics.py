"""How good predictions are, from the confusion matrix alone.

Rows of a confusion matrix are the true classes, columns the predicted ones. The zero-division rule: precision
without a predicted row, recall without a true row, and F1 without either are undefined and count as
``zero_division``, 0 by default, in averages too. Balanced accuracy leaves out classes without a true row, and the
correlation is 0 where its denominator is 0. This is what scikit-learn does.
"""

import math

import numpy as np

from minibn.errors import ArgumentError, ShapeError


def confusion_matrix(y_true, y_pred, classes=None):
    """Count pairs of true and predicted classes.

    Parameters
    ----------
    y_true, y_pred : array_like of int, shape (N,)
        Class indices.
    classes : int, optional
        K; by default one more than the largest index.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Rows are true, columns predicted.

    Raises
    ------
    ArgumentError
        When an index is not an integer from 0 to K - 1.
    ShapeError
        When the arrays do not have one axis of the same length.
    """
    y_true, y_pred = _indices(y_true, "y_true"), _indices(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ShapeError(f"y_pred: expected shape {y_true.shape} as y_true, got {y_pred.shape}")
    size = _size(y_true, y_pred, classes)
    counts = np.bincount(y_true * size + y_pred, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def accuracy(matrix):
    """Return the share of rows that are predicted right.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        When the matrix counts no row.
    """
    matrix = _checked(matrix)
    return float(np.trace(matrix) / matrix.sum())


def balanced_accuracy(matrix):
    """Return the mean recall of the classes that have true rows.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        When the matrix counts no row.
    """
    matrix = _checked(matrix)
    support = matrix.sum(axis=1)
    present = support > 0
    return float(np.mean(np.diag(matrix)[present] / support[present]))


def majority_baseline(matrix):
    """Return the accuracy of always naming the most frequent true class.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        When the matrix counts no row.
    """
    matrix = _checked(matrix)
    return float(matrix.sum(axis=1).max() / matrix.sum())


def matthews_correlation(matrix):
    """Return the correlation of true and predicted classes, from -1 to 1.

    The multi-class form R_K of J. Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", 2004, equation 8.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)

    Returns
    -------
    float
        0 where true or predicted rows are all of one class.

    Raises
    ------
    ArgumentError
        When the matrix counts no row.
    """
    matrix = _checked(matrix)
    # Python's integers: products of counts in the billions would overflow 64 bits.
    true, predicted = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
    rows = sum(true)
    both = rows * int(np.trace(matrix)) - _dot(true, predicted)
    spread = (rows * rows - _dot(true, true)) * (rows * rows - _dot(predicted, predicted))
    return both / math.sqrt(spread) if spread else 0.0


def precision_recall_f1(matrix, zero_division=0.0):
    """Return precision, recall, F1 and support of every class.

    Parameters
    ----------
    matrix : array_like of int, shape (K, K)
    zero_division : float
        What an undefined value counts as.

    Returns
    -------
    precision, recall, f1 : ndarray of float64, shape (K,)
        ``TP / (TP + FP)``, ``TP / (TP + FN)``, ``2 TP / (2 TP + FP + FN)``.
    support : ndarray of int64, shape (K,)
        True rows of each class.

    Raises
    ------
    ArgumentError
        When the matrix counts no row.
    """
    matrix = _checked(matrix)
    right, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision = _ratio(right, predicted, zero_division)
    recall = _ratio(right, support, zero_division)
    return precision, recall, _ratio(2 * right, support + predicted, zero_division), support


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
    """
    matrix = _checked(matrix)
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


def _ratio(numerator, denominator, undefined):
    out = np.full(len(numerator), float(undefined))
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def _dot(a, b):
    return sum(i * j for i, j in zip(a, b, strict=True))


def _checked(matrix):
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ShapeError(f"matrix: expected shape (K, K), got {matrix.shape}; make it with confusion_matrix")
    if matrix.dtype.kind not in "iu" or matrix.min() < 0:
        raise ArgumentError("matrix: expected counts, integers of at least 0; make it with confusion_matrix")
    if not matrix.any():
        raise ArgumentError("matrix: expected at least one row of data, got none")
    return matrix.astype(np.int64)


def _indices(y, name):
    y = np.asarray(y)
    if y.ndim != 1:
        raise ShapeError(f"{name}: expected shape (N,), got {y.shape}; give one class index a row")
    if y.size and y.dtype.kind not in "biu":
        raise ArgumentError(
            f"{name}: expected integer class indices, got {y.dtype.name}; code the labels first"
        )
    return y.astype(np.int64)


def _size(y_true, y_pred, classes):
    largest = max(y_true.max(initial=-1), y_pred.max(initial=-1))
    size = int(largest) + 1 if classes is None else classes
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ArgumentError(
            f"classes: expected an integer of at least 1, got {size!r}; give the number of classes"
        )
    if min(y_true.min(initial=0), y_pred.min(initial=0)) < 0 or largest >= size:
        raise ArgumentError(
            f"y_true and y_pred: expected class indices from 0 to {size - 1}; code the labels with one table"
        )
    return int(size)
