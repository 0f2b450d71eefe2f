"""Dividing rows into a training and a validation part, class by class."""

from numbers import Real

import numpy as np

from minibn import foreign
from minibn.errors import ArgumentError, DataError, ShapeError

from .stream import SPLIT, generator


def split(y, fraction, seed):
    """Divide rows at random so that every class keeps its share.

    Of every class with at least two rows, each part has at least one; a class of one row stays in training. Within
    these bounds the validation part has ``round(fraction * N)`` rows, shared out by largest remainder.

    Parameters
    ----------
    y : array_like, shape (N,)
        Classes.
    fraction : float
        Share of the validation part, between 0 and 1, both excluded.
    seed : int
        The same seed gives the same parts.

    Returns
    -------
    train_rows, validation_rows : ndarray of int64
        Ascending; together every row once.

    Raises
    ------
    ArgumentError
        When the fraction or the seed is out of range.
    DataError
        When no class has two rows.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.data import split
    >>> y = np.repeat([0, 1], [90, 10])
    >>> train, validation = split(y, 0.2, seed=0)
    >>> len(train), len(validation), int(y[validation].sum())  # a fifth of either class
    (80, 20, 2)
    """
    classes, counts = _classes(y)
    chosen = _shares(counts, _checked_fraction(fraction))
    order = generator(seed, SPLIT).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    validation = np.zeros(len(order), dtype=bool)
    validation[order] = rank < np.repeat(chosen, counts)
    return np.flatnonzero(~validation), np.flatnonzero(validation)


def _classes(y):
    y = np.asarray(foreign.exchanged("y", y))
    if y.ndim != 1:
        raise ShapeError(f"y: expected shape (N,), got {y.shape}; give one class a row")
    _, classes, counts = np.unique(y, return_inverse=True, return_counts=True)
    if not (counts > 1).any():
        raise DataError(
            f"no class has two rows among {len(y)}, so there is nothing to divide; give more rows"
        )
    return classes, counts


def _checked_fraction(fraction):
    if isinstance(fraction, bool) or not isinstance(fraction, Real) or not 0 < fraction < 1:
        raise ArgumentError(f"fraction: expected a number between 0 and 1, both excluded, got {fraction!r}")
    return float(fraction)


def _shares(counts, fraction):
    """Return how many rows of each class go to validation."""
    quota = fraction * counts
    least, most = np.minimum(counts - 1, 1), counts - 1
    chosen = np.clip(np.floor(quota).astype(np.int64), least, most)
    total = np.clip(round(fraction * counts.sum()), least.sum(), most.sum())
    while chosen.sum() < total:
        chosen[np.where(chosen < most, quota - chosen, -np.inf).argmax()] += 1
    while chosen.sum() > total:
        chosen[np.where(chosen > least, quota - chosen, np.inf).argmin()] -= 1
    return chosen
