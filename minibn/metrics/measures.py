"""Measures of a confusion matrix.

The zero-division rule: precision without a predicted row, recall without a true row, and F1 without either are
undefined and count as ``zero_division``, 0 by default, in averages too. Balanced accuracy leaves out classes without
a true row, and the correlation is 0 where its denominator is 0. This is what scikit-learn does.
"""

import math

import numpy as np

from .confusion import checked_matrix


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
    matrix = checked_matrix(matrix)
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

    Examples
    --------
    >>> from minibn.metrics import accuracy, balanced_accuracy, majority_baseline
    >>> matrix = [[9776, 24], [176, 24]]
    >>> [round(float(measure(matrix)), 3) for measure in (accuracy, majority_baseline, balanced_accuracy)]
    [0.98, 0.98, 0.559]
    """
    matrix = checked_matrix(matrix)
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
    matrix = checked_matrix(matrix)
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
    matrix = checked_matrix(matrix)
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

    Examples
    --------
    >>> from minibn.metrics import precision_recall_f1
    >>> precision, recall, f1, support = precision_recall_f1([[71, 1], [4, 38]])
    >>> precision.round(3), recall.round(3), support
    (array([0.947, 0.974]), array([0.986, 0.905]), array([72, 42]))
    """
    matrix = checked_matrix(matrix)
    right, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    precision = _ratio(right, predicted, zero_division)
    recall = _ratio(right, support, zero_division)
    return precision, recall, _ratio(2 * right, support + predicted, zero_division), support


def _ratio(numerator, denominator, undefined):
    out = np.full(len(numerator), float(undefined))
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def _dot(a, b):
    return sum(i * j for i, j in zip(a, b, strict=True))
