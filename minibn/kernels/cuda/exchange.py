"""Arrays that offer DLPack alone: as ``__cuda_array_interface__``, which the rest takes, on the same memory."""

import numpy as np

from minibn.errors import DeviceError

_CUDA = 2  # DLPack's kDLCUDA
UNORDERED, LEGACY = -1, 1  # how DLPack calls no stream at all, and the default one


def device_of(array):
    """Return the number of the CUDA device on which an array says by DLPack that it lies, None where it says none."""
    try:
        kind, number = array.__dlpack_device__()
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return None
    return int(number) if kind == _CUDA else None


def refuse_other_device(name, number, current):
    """Refuse an array of another GPU than the current one; None for one that does not say where it lies.

    Raises
    ------
    DeviceError
    """
    if number is not None and number != current:
        raise DeviceError(
            f"{name} must lie on the current device, cuda:{current}, got cuda:{number}; "
            "move it there, or make its device the current one"
        )


class Exchanged:
    """An array on a CUDA device that offers DLPack, with the interface that Numba takes.

    Parameters
    ----------
    array : object
        With ``__dlpack__``; it is kept as long as this.
    stream : int
        Address of the stream on which the array will be used, for which its owner makes it ready; -1 where the
        caller sees to that.
    """

    def __init__(self, array, stream=UNORDERED):
        from cuda.core.utils import StridedMemoryView

        self._view = view = StridedMemoryView.from_dlpack(array, stream_ptr=stream)
        kind = np.dtype(view.dtype)
        strides = view.strides and tuple(kind.itemsize * n for n in view.strides)
        self.__cuda_array_interface__ = {
            "version": 3, "typestr": kind.str, "shape": tuple(view.shape), "strides": strides,
            "data": (view.ptr, view.readonly), "stream": None,
        }  # fmt: skip

    def __dlpack_device__(self):
        """Return DLPack's name of the device."""
        return _CUDA, self._view.device_id
