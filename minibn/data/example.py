"""The examples: 1000 training and 1000 validation rows of 20 features in 3 classes, made from a seed.

The recipe is the one of scikit-learn's ``make_classification`` (after I. Guyon, "Design of experiments for the
NIPS 2003 variable selection benchmark", 2003), written in NumPy: ``example`` at ``class_sep=2.5`` with one cluster a
class, ``example-hard`` at ``class_sep=1`` with two.
"""

import numpy as np

from .dataset import Dataset
from .stream import EXAMPLE, generator

ROWS, TRAINING, CLASSES = 2000, 1000, 3
INFORMATIVE, REDUNDANT, NOISE = 8, 2, 10
REDRAWN = 0.01
EXAMPLES = {"example": (1, 2.5), "example-hard": (2, 1.0)}  # clusters of a class, distance of a corner from 0


def example(seed=0, name="example"):
    """Make an example data set.

    Eight features carry the class: each class is a Gaussian cloud of its own shape around its own corner of the
    cube {-2.5, 2.5}^8. Two features are mixtures of those eight, ten are noise, and 1 % of the labels are drawn
    anew. Rows and columns are shuffled and nothing is scaled. ``"example-hard"`` has two clouds a class, around
    corners of {-1, 1}^8, which overlap.

    Parameters
    ----------
    seed : int
        The same seed gives the same data.
    name : str
        One of :data:`EXAMPLES`.

    Returns
    -------
    Dataset
        ``x`` is float64 of shape (2000, 20); ``validation_rows`` are the last 1000 rows.

    Raises
    ------
    ArgumentError
        When the seed is not an integer, or negative.

    Examples
    --------
    >>> from minibn.data import example
    >>> data = example(seed=0)
    >>> data.x.shape, data.x.dtype, sorted(set(data.y.tolist()))
    ((2000, 20), dtype('float64'), [0, 1, 2])
    """
    x, y = _draw(generator(seed, EXAMPLE), *EXAMPLES[name])
    names = tuple(f"x{i}" for i in range(x.shape[1]))
    return Dataset(name, x, y, names, tuple(range(CLASSES)), np.arange(TRAINING, ROWS), "y")


def _draw(rng, clusters, separation):
    cloud = np.sort(np.arange(ROWS) % (CLASSES * clusters))
    y, informative = cloud % CLASSES, _clouds(rng, cloud, separation)
    redundant = _product(informative, rng.uniform(-1, 1, (INFORMATIVE, REDUNDANT)))
    x = np.hstack([informative, redundant, rng.standard_normal((ROWS, NOISE))])
    y = _redraw(rng, y)
    rows, columns = rng.permutation(ROWS), rng.permutation(x.shape[1])
    return np.ascontiguousarray(x[rows][:, columns]), y[rows]


def _clouds(rng, cloud, separation):
    centres = separation * _corners(rng, cloud[-1] + 1)
    points = rng.standard_normal((ROWS, INFORMATIVE))
    for k, centre in enumerate(centres):
        points[cloud == k] = (
            _product(points[cloud == k], rng.uniform(-1, 1, (INFORMATIVE, INFORMATIVE))) + centre
        )
    return points


def _corners(rng, count):
    # A corner is a number whose bits say which side of each axis it is on: distinct numbers, distinct corners.
    numbers = rng.choice(2**INFORMATIVE, count, replace=False)
    bits = numbers[:, None] >> np.arange(INFORMATIVE) & 1
    return 2.0 * bits - 1


def _product(a, b):
    # Not `a @ b`: BLAS libraries differ in the last bit, and a seed should mean the same data on every machine.
    return sum(a[:, i, None] * b[i] for i in range(len(b)))


def _redraw(rng, y):
    chosen = rng.random(len(y)) < REDRAWN
    return np.where(chosen, rng.integers(CLASSES, size=len(y)), y)
