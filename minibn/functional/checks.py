"""Argument checks of the front door: each names the argument, what was expected, what came, and the remedy."""

import math
from numbers import Integral, Real

import numpy as np

from minibn import foreign
from minibn.errors import ArgumentError, DtypeError, ShapeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_LARGEST, _LARGEST_WHOLE = float(np.finfo(np.float64).max), int(np.iinfo(np.int64).max)


class _Readable:
    """Offers the memory of a read-only array as writable; keeps the array alive."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def _plain(array):
    """Return the array C-contiguous and aligned, copied at most once.

    Numba compiles read-only arrays apart. No kernel writes to its inputs, so a writable alias is safe and
    spares that second compilation.
    """
    flags = array.flags
    if flags.c_contiguous and flags.aligned and flags.writeable and type(array) is np.ndarray:
        return array
    array = np.require(np.asarray(array), requirements=("C", "A"))
    return array if array.flags.writeable else np.asarray(_Readable(array))


def _dims(shape):
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _as_array(name, value, wanted):
    """Return an array, taking over those of other libraries."""
    if type(value) is np.ndarray:
        return value
    array = foreign.as_array(name, value)
    if not isinstance(array, np.ndarray):
        wanted = str(wanted)
        raise DtypeError(
            f"{name} must be a NumPy array of {wanted}, got {type(value).__name__}; "
            f"use np.asarray({name}, dtype=np.{wanted.split()[0]})"
        )
    return array


def _source(name, given):
    """Return the expression of an argument as a NumPy array, for a remedy."""
    return name if isinstance(given, np.ndarray) else f"np.asarray({name})"


def _check_shape(name, array, shape):
    fits = (
        array.shape == shape
        or array.ndim == len(shape)
        and all(isinstance(n, str) or n == m for n, m in zip(shape, array.shape, strict=True))
    )
    if not fits:
        raise ShapeError(
            f"{name} must have shape {_dims(shape)}, got {_dims(array.shape)}; reshape it or pass the matching array"
        )
    if array.size == 0:
        raise ShapeError(
            f"{name} must not be empty, got shape {_dims(array.shape)}; pass at least one row and one column"
        )


def floats(name, value, shape, dtype=None, like="x"):
    """Check an input array and return it plain: C-contiguous, aligned, in native byte order.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : ndarray of float32 or float64
        Or an array of another library, see :func:`minibn.foreign.as_array`.
    shape : tuple of int or str
        Numbers are fixed lengths, letters are free ones. None allows any shape.
    dtype : dtype, optional
        The one dtype allowed, that of the argument ``like``.
    like : str
        Name of the argument that fixes the dtype.

    Returns
    -------
    ndarray
        The array itself where possible, else a copy.

    Raises
    ------
    DtypeError, ShapeError
    """
    given, value = value, _as_array(name, value, "float32 or float64" if dtype is None else dtype)
    if value.dtype not in FLOATS or not value.dtype.isnative:
        raise DtypeError(
            f"{name} must be float32 or float64, got {value.dtype}; use {_source(name, given)}.astype(np.float32)"
        )
    if dtype is not None and value.dtype != dtype:
        raise DtypeError(
            f"{name} must be {dtype} like {like}, got {value.dtype}; use {_source(name, given)}.astype(np.{dtype})"
        )
    _check_shape(name, value, tuple("*" * value.ndim) if shape is None else shape)
    return _plain(value)


def in_place(name, value, shape, dtype=None, like="x"):
    """Check an array that will be changed: as :func:`floats`, but it must be usable as it is, without a copy.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    value = _as_array(name, value, "float32 or float64" if dtype is None else dtype)
    array = floats(name, value, shape, dtype, like)
    if not value.flags.writeable:
        raise ArgumentError(
            f"{name} is changed in place and must be writable, got a read-only array; use {name}.copy()"
        )
    if array.ctypes.data != value.ctypes.data:
        raise ArgumentError(
            f"{name} is changed in place and must be C-contiguous; use np.ascontiguousarray({name})"
        )
    return array


def labels(name, value, rows, classes):
    """Check class indices and return them as int64, shape (N,).

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    given, value = value, _as_array(name, value, "int64")
    if value.dtype.kind not in "iu":
        raise DtypeError(
            f"{name} must be integers, got {value.dtype}; use {_source(name, given)}.astype(np.int64)"
        )
    _check_shape(name, value, (rows,))
    outside = (value < 0) | (value >= classes)
    if outside.any():
        row = int(outside.argmax())
        raise ArgumentError(
            f"{name} must lie in [0, {classes}), got {value[row]} at row {row}; code the classes as 0 to {classes - 1}"
        )
    return _plain(value.astype(np.int64, copy=False))


def class_weight(value, rows_labels, classes):
    """Check class weights, or pass None through.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    if value is None:
        return None
    value = _as_array("class_weight", value, "float64")
    if value.dtype.kind not in "iuf":
        raise DtypeError(
            f"class_weight must be float64, got {value.dtype}; use class_weight.astype(np.float64)"
        )
    _check_shape("class_weight", value, (classes,))
    if not np.isfinite(value).all() or (value < 0).any():
        raise ArgumentError(
            f"class_weight must be finite and not negative, got {value.tolist()}; pass one weight per class"
        )
    if not value[rows_labels].any():
        raise ArgumentError(
            "class_weight must be positive for at least one row, got 0 for all of them; raise a weight"
        )
    return _plain(value.astype(np.float64, copy=False))


def weights(name, value, rows):
    """Check weights of rows and return them as float64, shape (rows,).

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    value = _as_array(name, value, "float64")
    if value.dtype.kind not in "iuf":
        raise DtypeError(f"{name} must be float64, got {value.dtype}; use {name}.astype(np.float64)")
    _check_shape(name, value, (rows,))
    value = _plain(value.astype(np.float64, copy=False))
    wrong = ~(value >= 0) | np.isinf(value)
    if wrong.any():
        row = int(wrong.argmax())
        raise ArgumentError(
            f"{name} must be finite and not negative, got {value[row]} at row {row}; 0 leaves a row out"
        )
    with np.errstate(over="ignore"):
        total = value.sum()
    if not 0 < total < math.inf:
        raise ArgumentError(
            f"{name} must have a positive, finite sum, got {total:g}; give at least one row a weight above 0"
        )
    return value


def number(name, value, low=-math.inf, high=math.inf, remedy=""):
    """Check a finite real number in [low, high] and return it as float.

    Raises
    ------
    DtypeError, ArgumentError
    """
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise DtypeError(f"{name} must be a number, got {type(value).__name__}; pass a float")
    if not -_LARGEST <= value <= _LARGEST or not low <= value <= high:
        bounds = f"in [{low:g}, {high:g}]" if high < math.inf else f"finite and at least {low:g}"
        bounds = "finite" if low == -math.inf else bounds
        raise ArgumentError(f"{name} must be {bounds}, got {value}; {remedy or 'pass a value in that range'}")
    return float(value)


def whole(name, value, low):
    """Check an integer of at least ``low`` and return it as int.

    Raises
    ------
    DtypeError, ArgumentError
    """
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise DtypeError(f"{name} must be an integer, got {type(value).__name__}; pass an int")
    if value < low:
        raise ArgumentError(f"{name} must be at least {low}, got {value}; pass a larger number")
    if value > _LARGEST_WHOLE:
        raise ArgumentError(f"{name} must fit into 64 bits, got {value}; pass a smaller number")
    return int(value)


def axis(name, value, dims):
    """Check the number of an axis, which may count from the end, and return it counted from the front.

    Raises
    ------
    DtypeError, ArgumentError
    """
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise DtypeError(f"{name} must be an integer, got {type(value).__name__}; pass an int")
    if not -dims <= value < dims:
        raise ArgumentError(
            f"{name} must lie in [{-dims}, {dims}), got {value}; x has {dims} axes, and 1 is usual"
        )
    return int(value) % dims


def eps(value):
    """Check the eps of a batch norm: finite, 0 allowed."""
    return number("eps", value, 0.0, remedy="1e-5 is usual")


def momentum(value):
    """Check the momentum of running statistics."""
    return number("momentum", value, 0.0, 1.0, remedy="it weighs the new value, so Keras's 0.99 is 0.01 here")


def variance(name, value, columns):
    """Check a float64 variance; NaN passes, so that a broken feature stays visible.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    array = floats(name, value, (columns,), np.dtype(np.float64), "statistics")
    if (array < 0).any():
        column = int((array < 0).argmax())
        raise ArgumentError(
            f"{name} must not be negative, got {array[column]} in column {column}; pass a variance"
        )
    return array


def dtype(value):
    """Check a dtype and return it as float32 or float64.

    Raises
    ------
    DtypeError
    """
    try:
        found = np.dtype(value)
    except TypeError:
        found = None
    if found is None or found not in FLOATS:  # a dtype equals None where it is float64
        raise DtypeError(f"dtype must be float32 or float64, got {value!r}; pass np.float32 or np.float64")
    return found
