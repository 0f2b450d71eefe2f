"""Arrays of other libraries as NumPy arrays, on the same memory where there is a way."""

import sys

import numpy as np

from minibn.errors import DataError, DtypeError

_IN_MAIN_MEMORY = (1, 3)  # DLPack's kDLCPU and kDLCUDAHost


def as_array(name, value):
    """Return an array of another library as an ndarray; anything else, lists too, as it is.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : object
        What offers DLPack (PyTorch, JAX, ...) is taken without a copy; what has ``to_numpy`` (pandas, Polars,
        PyArrow) as that library gives it.

    Returns
    -------
    ndarray or object

    Raises
    ------
    DataError
        For a masked array of NumPy in which a value is masked.
    DtypeError
        For a sparse matrix, memory of a device, a tensor that requires a gradient, or a dtype unknown to NumPy,
        with the line that converts.
    """
    if isinstance(value, (np.ndarray, type)):
        return _unmasked(name, value)
    if is_sparse(value):
        size = value.shape[0] * value.shape[-1] * value.dtype.itemsize / 1e6
        raise DtypeError(
            f"{name} must be dense, got a sparse {type(value).__name__}; use {_of(name)}.toarray() ({size:.3g} MB)"
        )
    return value.to_numpy() if hasattr(value, "to_numpy") else exchanged(name, value)


def exchanged(name, value):
    """Return a tensor of another library as an ndarray, for code that reads data frames and sparse matrices itself.

    Parameters and errors are those of :func:`as_array`; data frames, sparse matrices and lists stay as they are.
    """
    if isinstance(value, (np.ndarray, type)) or hasattr(value, "to_numpy"):
        return _unmasked(name, value)
    return _exchanged(name, value) if hasattr(value, "__dlpack__") else value


def _unmasked(name, value):
    """Return the array behind a masked one in which nothing is masked, and anything else as it is."""
    masks = sys.modules.get("numpy.ma")  # there is no masked array before somebody has imported all of it
    kind = getattr(masks, "MaskedArray", None)
    if kind is None or not isinstance(value, kind):
        return value
    if count := masks.count_masked(value):
        raise DataError(
            f"{name} has {count} of {value.size} values masked, and masks are not kept here; fill them in, "
            f"{_of(name)}.filled(value), or leave their rows out"
        )
    return masks.getdata(value, subok=False)


def is_sparse(value):
    """Say whether a value is a sparse matrix or array of SciPy."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def _of(name):
    """Return what a call stands behind in a remedy: ``x``, but ``its `` for a "validation x", which is no Python."""
    return "its " if " " in name else name


def _exchanged(name, value):
    """Take an array through DLPack."""
    if getattr(value, "requires_grad", False):
        raise DtypeError(f"{name} requires a gradient, which is not recorded here; use {_of(name)}.detach()")
    if "bfloat16" in str(value.dtype):
        raise DtypeError(
            f"{name} must be of a dtype that NumPy has, got {value.dtype}; use {_of(name)}.float()"
        )
    if hasattr(value, "is_neg") and value.is_neg():
        # PyTorch hands out the memory of such a view without the sign that it keeps beside it.
        raise DtypeError(f"{name} is a view with its sign not yet applied; use {_of(name)}.resolve_neg()")
    try:
        if value.__dlpack_device__()[0] not in _IN_MAIN_MEMORY:
            raise DtypeError(
                f"{name} must lie in main memory, got device {getattr(value, 'device', '?')}; use {_of(name)}.cpu()"
            )
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, ValueError, AttributeError) as error:
        line = " ".join(str(error).split())
        raise DtypeError(f"{name} cannot be read as a NumPy array ({line}); convert it to one") from error
