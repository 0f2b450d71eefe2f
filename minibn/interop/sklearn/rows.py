"""The rows that an estimator trains on and is judged by: arrays, weights, and the split between the two."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Rows:
    """Features, targets and weights of some rows.

    Attributes
    ----------
    x : ndarray of float32 or float64, shape (N, C)
    y : ndarray, shape (N,) or (N, O)
        Class indices, or targets.
    weight : ndarray of float64, shape (N,), or None
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None

    def __len__(self):
        return len(self.x)

    def take(self, rows):
        """Return some of the rows."""
        return Rows(self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows])

    @property
    def counted(self):
        """Those that count: rows of weight 0 are left out, and weights that are all 1 are none."""
        if self.weight is None:
            return self
        rows = self if self.weight.all() else self.take(self.weight > 0)
        return replace(rows, weight=None) if (rows.weight == 1).all() else rows

    @property
    def total(self):
        """Sum of the weights."""
        return float(len(self)) if self.weight is None else float(self.weight.sum())


def divide(rows, fraction, strata, rng):
    """Split off a validation part as scikit-learn does.

    Parameters
    ----------
    rows : Rows
    fraction : float
        Share of the validation part.
    strata : ndarray, shape (N,), or None
        Classes that both parts get their share of.
    rng : numpy.random.RandomState

    Returns
    -------
    train, validation : Rows

    Raises
    ------
    ArgumentError
        When fewer than two rows are left to validate on.
    """
    from sklearn.model_selection import train_test_split

    train, held = train_test_split(
        np.arange(len(rows)), random_state=rng, test_size=fraction, stratify=strata
    )
    check_validation(held)
    return rows.take(train), rows.take(held)


def check_validation(held):
    """Refuse a validation part of a single row."""
    from minibn.errors import ArgumentError

    if len(held) < 2:
        raise ArgumentError(
            "The validation set is too small: expected at least 2 rows, got 1. Increase 'validation_fraction', "
            "give more rows, or pass X_val and y_val"
        )


def dense(x):
    """Return a sparse matrix as an array, and an array as it is."""
    return x.toarray(order="C") if hasattr(x, "toarray") else x
