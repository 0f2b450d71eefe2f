"""Counting pairs of true and predicted classes."""

import numpy as np

from minibn import foreign
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

    Examples
    --------
    >>> from minibn.metrics import confusion_matrix
    >>> confusion_matrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 0])
    array([[1, 1],
           [1, 2]])
    """
    y_true, y_pred = _indices(y_true, "y_true"), _indices(y_pred, "y_pred")
    if y_true.shape != y_pred.shape:
        raise ShapeError(f"y_pred: expected shape {y_true.shape} as y_true, got {y_pred.shape}")
    size = _size(y_true, y_pred, classes)
    counts = np.bincount(y_true * size + y_pred, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def checked_matrix(matrix):
    """Return a confusion matrix as int64, or say what is wrong with it."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ShapeError(f"matrix: expected shape (K, K), got {matrix.shape}; make it with confusion_matrix")
    if matrix.dtype.kind not in "iu" or matrix.min() < 0:
        raise ArgumentError("matrix: expected counts, integers of at least 0; make it with confusion_matrix")
    if not matrix.any():
        raise ArgumentError("matrix: expected at least one row of data, got none")
    return matrix.astype(np.int64)


def _indices(y, name):
    y = np.asarray(foreign.exchanged(name, y))
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
