"""Arrays on the device: taking those of the caller, checked, and moving statistics to and from float64."""

import math

import numpy as np

from minibn.errors import DeviceError, DtypeError, ShapeError
from minibn.kernels.cuda.target import SIMULATED, address_of, cuda, require

_FLOAT32 = np.dtype(np.float32)


def device_array(name, value):
    """Return an array of the device as Numba's own, on the same memory, float32 and C-contiguous.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : object
        Numba's device array, or an array with ``__cuda_array_interface__`` (CuPy, PyTorch); nothing is waited for.

    Raises
    ------
    DeviceError
        Where no device can be used, or the array does not lie on it.
    DtypeError, ShapeError
        Where it is not float32, or not C-contiguous.
    """
    array = on_device(name, value)
    if array.dtype != _FLOAT32:
        raise DtypeError(
            f"{name} must be float32 on CUDA, got {array.dtype}; use {name}.astype(np.float32), "
            "or minibn.kernels on the CPU, which takes float64"
        )
    return array


def on_device(name, value):
    """Return an array of the device of any dtype; see :func:`device_array`."""
    if not getattr(value, "__cuda_ndarray__", False):
        value = _taken(name, value)
    if not value.is_c_contiguous():
        raise ShapeError(f"{name} must be C-contiguous, got strides {value.strides}; copy it first")
    return value


def _taken(name, value):
    require()
    if SIMULATED or not hasattr(value, "__cuda_array_interface__"):
        raise DeviceError(
            f"{name} must lie on the CUDA device, got {type(value).__name__}; "
            f"use minibn.kernels.cuda.to_device({name})"
        )
    return cuda.as_cuda_array(value, sync=False)


def flat(name, value):
    """Return an array of float32 as one axis; see :func:`device_array`."""
    array = device_array(name, value)
    return array if array.ndim == 1 else array.reshape(array.size)


def aligned(*arrays):
    """Say whether all arrays begin at a multiple of 16 bytes."""
    return all(address_of(array) % 16 == 0 for array in arrays)


def given(array):
    """Say whether an optional array is there: None and an empty array are not."""
    return array is not None and math.prod(array.shape) > 0


def to_device(array, stream=0):
    """Copy a NumPy array to the device.

    Parameters
    ----------
    array : ndarray
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError
        Where no device can be used.
    """
    require()
    return cuda.to_device(np.ascontiguousarray(array), stream=stream)


def empty(shape, stream=0):
    """Return an array of float32 on the device, not initialised.

    Parameters
    ----------
    shape : int or tuple of int
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError
        Where no device can be used.
    """
    require()
    return cuda.device_array(shape, _FLOAT32, stream=stream)
