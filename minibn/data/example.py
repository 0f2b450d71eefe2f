"""The example: 1000 training and 1000 validation rows of 20 features in 3 classes, made from a seed.

The recipe is the one of scikit-learn's ``make_classification`` (after I. Guyon, "Design of experiments for the
NIPS 2003 variable selection benchmark", 2003) at ``class_sep=2.5`` with one cluster a class, written in NumPy.
"""

import numpy as np

from .dataset import Dataset
from .stream import EXAMPLE, generator

ROWS, TRAINING, CLASSES = 2000, 1000, 3
INFORMATIVE, REDUNDANT, NOISE = 8, 2, 10
SEPARATION = 2.5
REDRAWN = 0.01


def example(seed=0):
    """Make the example data set.

    Eight features carry the class: each class is a Gaussian cloud of its own shape around its own corner of the
    cube {-2.5, 2.5}^8. Two features are mixtures of those eight, ten are noise, and 1 % of the labels are drawn
    anew. Rows and columns are shuffled and nothing is scaled.

    Parameters
    ----------
    seed : int
        The same seed gives the same data.

    Returns
    -------
    Dataset
        ``x`` is float64 of shape (2000, 20); ``validation_rows`` are the last 1000 rows.

    Raises
    ------
    ArgumentError
        When the seed is not an integer, or negative.
    """
    x, y = _draw(generator(seed, EXAMPLE))
    names = tuple(f"x{i}" for i in range(x.shape[1]))
    return Dataset("example", x, y, names, tuple(range(CLASSES)), np.arange(TRAINING, ROWS), "y")


def _draw(rng):
    y = np.sort(np.arange(ROWS) % CLASSES)
    informative = _clouds(rng, y)
    redundant = _product(informative, rng.uniform(-1, 1, (INFORMATIVE, REDUNDANT)))
    x = np.hstack([informative, redundant, rng.standard_normal((ROWS, NOISE))])
    y = _redraw(rng, y)
    rows, columns = rng.permutation(ROWS), rng.permutation(x.shape[1])
    return np.ascontiguousarray(x[rows][:, columns]), y[rows]


def _clouds(rng, y):
    centres = _corners(rng)
    clouds = rng.standard_normal((ROWS, INFORMATIVE))
    for k in range(CLASSES):
        clouds[y == k] = _product(clouds[y == k], rng.uniform(-1, 1, (INFORMATIVE, INFORMATIVE))) + centres[k]
    return clouds


def _corners(rng):
    # A corner is a number whose bits say which side of each axis it is on: distinct numbers, distinct corners.
    numbers = rng.choice(2**INFORMATIVE, CLASSES, replace=False)
    bits = numbers[:, None] >> np.arange(INFORMATIVE) & 1
    return SEPARATION * (2.0 * bits - 1)


def _product(a, b):
    # Not `a @ b`: BLAS libraries differ in the last bit, and a seed should mean the same data on every machine.
    return sum(a[:, i, None] * b[i] for i in range(len(b)))


def _redraw(rng, y):
    chosen = rng.random(len(y)) < REDRAWN
    return np.where(chosen, rng.integers(CLASSES, size=len(y)), y)
