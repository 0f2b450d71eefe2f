"""Arrays on the device: taking those of the caller, checked, and moving statistics to and from float64."""

import math

import numpy as np

from minibn.errors import DeviceError, DtypeError, ShapeError
from minibn.kernels.cuda.exchange import Exchanged
from minibn.kernels.cuda.target import SIMULATED, address_of, cuda, device_number, driver_error, require
from minibn.kernels.device_memory import device_of, refuse_other_device

_FLOAT32 = np.dtype(np.float32)


def device_array(name, value):
    """Return an array of the device as Numba's own, on the same memory, float32 and C-contiguous.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : object
        Numba's device array, or an array with ``__cuda_array_interface__`` (CuPy, PyTorch) or with DLPack; nothing is
        waited for.

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
    interfaced, number = hasattr(value, "__cuda_array_interface__"), device_of(value)
    if SIMULATED or not (interfaced or number is not None):
        raise DeviceError(
            f"{name} must lie on the CUDA device, got {type(value).__name__}; "
            f"use minibn.kernels.cuda.to_device({name})"
        )
    refuse_other_device(name, number, device_number())
    return cuda.as_cuda_array(value if interfaced else Exchanged(value), sync=False)


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
        Where no device can be used, or its memory does not suffice.
    """
    require()
    array = np.ascontiguousarray(array)
    there = _allocated(array.nbytes, lambda: cuda.to_device(array, stream=stream))
    wait(stream)  # on a stream the driver may still read the array, which may be gone when this returns
    return there


def to_host(array, stream=0):
    """Copy an array of the device to a new NumPy array, and wait for it: on a stream the driver need not."""
    found = array.copy_to_host(stream=stream)
    wait(stream or getattr(array, "stream", 0))
    return found


def wait(stream):
    """Wait for a stream of ``numba.cuda``; copies on the default one, 0, have waited already."""
    if stream:
        stream.synchronize()


def _allocated(size, allocate):
    """Return what a function allocates, a number of bytes.

    Raises
    ------
    DeviceError
        Where the driver refuses.
    """
    try:
        return allocate()
    except driver_error() as error:
        reason = " ".join(str(error).split())
        raise DeviceError(
            f"the CUDA device refuses {size:,} bytes ({reason}); use smaller batches or data, or the CPU"
        ) from error


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
        Where no device can be used, or its memory does not suffice.
    """
    require()
    size = _FLOAT32.itemsize * int(np.prod(shape, dtype=np.int64))
    return _allocated(size, lambda: cuda.device_array(shape, _FLOAT32, stream=stream))
