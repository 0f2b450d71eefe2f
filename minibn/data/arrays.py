"""From arrays in memory to a checked table."""

import numpy as np

from minibn import foreign
from minibn.errors import DataError, DtypeError

from .features import NUMERIC, numbers
from .table import Table


def from_arrays(x, y=None, *, feature_names=None, labels=None, name="arrays"):
    """Check arrays and code their labels, as :func:`load` does with files.

    Parameters
    ----------
    x : array_like of numbers, shape (N, ...)
        More than two axes are flattened to (N, C).
    y : array_like, shape (N,) or (N, 1), optional
        Labels: integers, booleans, text, or floats without a fraction.
    feature_names : sequence of str, optional
        By default ``x0``, ``x1``, ...
    labels : sequence, optional
        Known classes in order; by default those in ``y``, each of which then needs two rows.
    name : str

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        When the data cannot be trained on, with column, row and remedy.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.data import from_arrays
    >>> data = from_arrays(np.arange(8.0).reshape(4, 2), np.array(["no", "yes", "no", "yes"]))
    >>> data.labels, data.y
    (('no', 'yes'), array([0, 1, 0, 1]))
    """
    x = matrix(_taken("x", x), "x")
    values = None if y is None else column(_taken("y", y), "y", len(x))
    table = Table(name, x, values, numbered(x), "y" if y is not None else None, named=False)
    return (table if feature_names is None else table.matched(feature_names)).dataset(labels)


def _taken(name, value):
    """Return rows or labels as an array, those of another library too."""
    if foreign.is_sparse(value):
        raise DataError(
            f"{name}: expected a dense array, got a sparse {type(value).__name__}; use {name}.toarray()"
        )
    try:
        return np.asarray(foreign.exchanged(name, value))
    except DtypeError as error:
        raise DataError(str(error)) from error


def numbered(x):
    """Return the names ``x0``, ``x1``, ... for the columns of a matrix."""
    return tuple(f"x{i}" for i in range(x.shape[1]))


def matrix(x, key):
    """Return an array of numbers as a matrix.

    Parameters
    ----------
    x : ndarray, shape (N, ...)
    key : str
        Name of the array, for messages.

    Returns
    -------
    ndarray of numbers, shape (N, C)

    Raises
    ------
    DataError
        When there is no second axis, or a value is not a number.
    """
    if x.ndim < 2:
        raise DataError(f"{key}: expected rows and columns, got shape {x.shape}; give shape (N, C)")
    x = x.reshape(len(x), int(np.prod(x.shape[1:])))
    if x.dtype.kind in NUMERIC:
        return x
    _refuse_text(x, key)
    columns = [numbers(x[:, i], name) for i, name in enumerate(numbered(x))]
    return np.column_stack(columns) if columns else np.empty(x.shape)


def column(y, key, rows):
    """Return labels as one axis.

    Parameters
    ----------
    y : ndarray, shape (N,) or (N, 1)
    key : str
        Name of the array, for messages.
    rows : int
        The length that it must have.

    Returns
    -------
    ndarray, shape (N,)

    Raises
    ------
    DataError
        When the shape is another.
    """
    if y.ndim == 0 or y.size != len(y):
        raise DataError(
            f"{key}: expected one label a row, got shape {y.shape}; take argmax(axis=1) of one-hot labels"
        )
    if len(y) != rows:
        raise DataError(
            f"{key}: expected {rows} labels, one for every row of the features, got {len(y)}; pair them"
        )
    return y.reshape(-1)


def _refuse_text(x, key):
    # Numbers written as text are text too: in an array, unlike a CSV file, that is somebody's mistake.
    if x.dtype.kind != "O" and x.size:
        raise DataError(
            f"{key}: column 'x0', row 1: {str(x[0, 0])!r} is not a number ({x.dtype.name} array); give an array of numbers"
        )
