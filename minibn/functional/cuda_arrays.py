"""Arrays of the CUDA device that belong to other libraries: on the same memory, on the stream of the caller."""

import importlib
import math
import sys

import numpy as np

from minibn.errors import DeviceError, DtypeError, ShapeError
from minibn.kernels.device_memory import device_of, refuse_other_device

_LEGACY, _PER_THREAD = 1, 2  # how __cuda_array_interface__ calls the two default streams


def lies_on_cuda(value):
    """Say whether a value is an array on a CUDA device, or claims to be one."""
    if isinstance(value, (np.ndarray, np.generic, type)):
        return False
    return _interface(value) is not None or device_of(value) is not None


def _interface(value):
    """Return ``__cuda_array_interface__``, None where there is none; PyTorch raises for tensors of the CPU."""
    try:
        return value.__cuda_array_interface__
    except (AttributeError, TypeError, RuntimeError):
        return _simulated(value) if getattr(value, "__cuda_ndarray__", False) else None


def _simulated(array):
    """Return the same of an array of the simulator, which has none."""
    strides = None if array.is_c_contiguous() else array.strides
    data = array.ctypes.data, False
    return {"typestr": array.dtype.str, "shape": tuple(array.shape), "strides": strides, "data": data}


def checked(name, value, dtype=np.float32, shape=None, written=False):
    """Return the ``__cuda_array_interface__`` of an array that a kernel can use as it is.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : object
    dtype : dtype
        The one allowed.
    shape : tuple of int or str, optional
        Numbers are fixed lengths, letters are free ones.
    written : bool
        Whether the kernel writes to it.

    Raises
    ------
    DeviceError
        Where it does not lie on the device, or cannot be taken without a copy.
    DtypeError, ShapeError
    """
    if getattr(value, "requires_grad", False):
        raise DtypeError(f"{name} requires a gradient, which is not recorded here; use {name}.detach()")
    found = _interface(value)
    if found is None:
        raise DeviceError(_elsewhere(name, value))
    got, wanted = np.dtype(found["typestr"]), np.dtype(dtype)
    if got != wanted:
        cpu = ", or the CPU, which takes float64" if got == np.float64 else ""
        raise DtypeError(f"{name} must be {wanted} on CUDA, got {got}; convert it to {wanted}{cpu}")
    if shape is not None and not _fits(found["shape"], shape):
        wanted_shape = ", ".join(map(str, shape))
        raise ShapeError(
            f"{name} must have shape ({wanted_shape}), got {tuple(found['shape'])}; reshape it or pass the matching array"
        )
    if math.prod(found["shape"]) == 0:
        raise ShapeError(
            f"{name} must not be empty, got shape {tuple(found['shape'])}; pass at least one row"
        )
    _check_layout(name, found, wanted.itemsize, written)
    return found


def _elsewhere(name, value):
    return (
        f"{name} must lie on the CUDA device like the other arrays, got {type(value).__name__}; "
        f"use minibn.kernels.cuda.to_device({name})"
    )


def _fits(shape, wanted):
    return len(shape) == len(wanted) and all(
        isinstance(n, str) or n == m for n, m in zip(wanted, shape, strict=True)
    )


def _check_layout(name, found, size, written):
    """Refuse an array that a kernel would misread: nothing is copied in silence."""
    if not _contiguous(found, size):
        raise ShapeError(
            f"{name} must be C-contiguous on CUDA, got strides {tuple(found['strides'])}; make a contiguous copy"
        )
    address, read_only = found["data"]
    if address % size:
        raise DeviceError(
            f"{name} must begin at a multiple of {size} bytes, got address {address:#x}; copy it to an array of its own"
        )
    if written and read_only:
        raise DeviceError(f"{name} is written to and must not be read-only; copy it to an array of its own")


def _contiguous(found, size):
    if found.get("strides") is None:
        return True
    expected = size
    for length, stride in zip(reversed(found["shape"]), reversed(found["strides"]), strict=True):
        if length > 1 and stride != expected:
            return False
        expected *= length
    return True


def interfaced_or_exchanged(name, value, stream):
    """Return an array as it is, or, where it offers DLPack alone, with ``__cuda_array_interface__``.

    Parameters
    ----------
    name : str
        Name of the argument, for messages.
    value : object
    stream : int
        Address of the stream on which it will be used; its owner makes it ready there.

    Raises
    ------
    DeviceError
        Where no device can be used, or it lies on another one than the current.
    """
    if _interface(value) is not None or not lies_on_cuda(value):
        return value
    from minibn.kernels.cuda import target
    from minibn.kernels.cuda.exchange import Exchanged

    target.require()
    refuse_other_device(name, device_of(value), target.device_number())
    return Exchanged(value, stream)


def stream_of(value):
    """Return the stream that the caller of a library works on, as its address: 1 and 2 are the default ones.

    PyTorch is asked for its current stream, CuPy and Numba say theirs in ``__cuda_array_interface__``.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return torch.cuda.current_stream(value.device).cuda_stream or _LEGACY
    return value.__cuda_array_interface__.get("stream") or _LEGACY


class OnDevice:
    """The device as the caller of a function sees it: takes arrays, and makes those that are returned.

    Parameters
    ----------
    name : str
        Name of the first array, for messages.
    first : object
        The first array: what is made is of its library, on its stream.
    """

    def __init__(self, name, first):
        from minibn.kernels.cuda import target

        interfaced = interfaced_or_exchanged(name, first, _LEGACY)
        checked(name, interfaced)
        target.require()
        self._first, self._target = first, target
        own = getattr(first, "__cuda_ndarray__", False)
        self._makes_own = own or interfaced is not first  # of DLPack alone: its library is not known
        self._check_device(name, interfaced)
        self.stream = getattr(first, "stream", 0) if own else self._stream_at(stream_of(interfaced))

    def _stream_at(self, address):
        if address == _LEGACY:
            return 0
        if address == _PER_THREAD:
            return self._target.cuda.per_thread_default_stream()
        return self._target.cuda.external_stream(address)

    def _check_device(self, name, value):
        """Refuse an array of another GPU than the current one."""
        device, index = getattr(value, "device", None), device_of(value)
        if index is None:
            index = getattr(device, "index", getattr(device, "id", None))
        refuse_other_device(name, index if isinstance(index, int) else None, self._target.device_number())

    def take(self, name, value, dtype=np.float32, shape=None, written=False):
        """Return an array as Numba's, on the same memory, without waiting; see :func:`checked`."""
        value = interfaced_or_exchanged(name, value, self._target.stream_address(self.stream) or _LEGACY)
        checked(name, value, dtype, shape, written)
        self._check_device(name, value)
        if getattr(value, "__cuda_ndarray__", False):
            return value
        return self._target.cuda.as_cuda_array(value, sync=False)

    def new(self, shape):
        """Return a new array of float32 of the caller's library, and the same as Numba's.

        Where the caller's array offers DLPack alone, both are Numba's.
        """
        if self._makes_own:
            from minibn.kernels.cuda import empty

            array = empty(shape, self.stream)
            return array, array
        array = _made(self._first, shape)
        return array, self._target.cuda.as_cuda_array(array, sync=False)


def _made(like, shape):
    if hasattr(like, "new_empty"):  # PyTorch
        return like.new_empty(shape)
    library = importlib.import_module(type(like).__module__.split(".")[0])
    return library.empty(shape, np.float32)
