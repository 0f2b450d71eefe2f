"""From columns of numbers to one matrix of a compact dtype in which every value is finite."""

import numpy as np

from minibn.errors import DataError

from .blocks import first_non_finite
from .labels import listed, row_number

NUMERIC = "buif"


def compact_dtype(dtypes):
    """Return the smallest of uint8, float32 and float64 that holds every dtype.

    Integers other than uint8 are kept as float64, booleans as uint8.

    Parameters
    ----------
    dtypes : iterable of dtype

    Returns
    -------
    numpy.dtype
    """
    common = np.result_type(*dtypes)
    if common.kind == "b" or common == np.uint8:
        return np.dtype(np.uint8)
    return np.dtype(np.float32 if common in (np.float16, np.float32) else np.float64)


def compact(x):
    """Return a numeric matrix in its compact dtype, C-contiguous.

    Parameters
    ----------
    x : ndarray, shape (N, C)

    Returns
    -------
    ndarray of uint8, float32 or float64, shape (N, C)
    """
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused by name
        return np.ascontiguousarray(x, dtype=compact_dtype([x.dtype]))


def numbers(values, column, place=row_number):
    """Return a column as numbers.

    Parameters
    ----------
    values : ndarray, shape (N,)
        Numbers, or Python objects that may be numbers; None where missing.
    column : str
        Name of the column, for messages.
    place : callable
        From a row index to its name in a message.

    Returns
    -------
    ndarray of bool, int or float, shape (N,)

    Raises
    ------
    DataError
        At the first value which is missing or is not a number.
    """
    if values.dtype.kind in NUMERIC:
        return values
    result = np.empty(len(values))
    for row, value in enumerate(values):
        result[row] = _number(value, column, row, place)
    return result


def check_finite(x, feature_names, place=row_number):
    """Refuse missing and infinite values.

    Parameters
    ----------
    x : ndarray, shape (N, C)
    feature_names : sequence of str
    place : callable
        From a row index to its name in a message.

    Raises
    ------
    DataError
        At the first value that is not finite.
    """
    if x.dtype.kind != "f":
        return
    if found := first_non_finite(x):
        row, column = found
        _refuse(x[row, column], feature_names[column], place(row))


def check_fits(converted, x, feature_names, place=row_number):
    """Refuse values that overflow where they are converted to a smaller dtype.

    Parameters
    ----------
    converted : ndarray of float, shape (N, C)
        The features as they are computed with.
    x : ndarray of numbers, shape (N, C)
        The same features as they were given, every value finite.
    feature_names : sequence of str
    place : callable
        From a row index to its name in a message.

    Raises
    ------
    DataError
        At the first value that became infinite.
    """
    if found := first_non_finite(converted):
        row, column = found
        value, largest = x[row, column], np.finfo(converted.dtype).max
        raise DataError(
            f"column {feature_names[column]!r}, {place(row)}: {value:.4g} becomes larger than "
            f"{converted.dtype.name} holds ({largest:.2g}); correct it, rescale the column, or leave it out"
        )


def columns_of(feature_names, available):
    """Find features by name.

    Parameters
    ----------
    feature_names : sequence of str
        The features wanted, in order.
    available : sequence of str
        The columns there are.

    Returns
    -------
    list of int
        Positions in ``available``.

    Raises
    ------
    DataError
        When features are missing; the message names them.
    """
    position = {name: i for i, name in enumerate(available)}
    missing = [name for name in feature_names if name not in position]
    if missing:
        raise DataError(
            f"missing feature columns: {listed(missing)}; there are {listed(available)}; add or rename them"
        )
    return [position[name] for name in feature_names]


def check_distinct(names):
    """Refuse two columns of one name.

    Parameters
    ----------
    names : sequence of str

    Raises
    ------
    DataError
        Naming the first name that is there twice.
    """
    seen = set()
    for name in names:
        if name in seen:
            raise DataError(f"two columns are called {name!r}; rename one of them")
        seen.add(name)


def _number(value, column, row, place):
    if value is None:
        _refuse(np.nan, column, place(row))
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(
            f"column {column!r}, {place(row)}: {str(value)!r} is not a number; encode the column as numbers or leave it out"
        ) from None


def _refuse(value, column, place):
    if np.isnan(value):
        raise DataError(
            f"column {column!r}, {place}: the value is missing (empty, NA, None and nan count as missing); "
            "fill it in or drop the row"
        )
    raise DataError(f"column {column!r}, {place}: {float(value)} is not finite; correct it or drop the row")
