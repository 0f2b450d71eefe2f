"""Arrays that offer DLPack alone: as ``__cuda_array_interface__``, which the rest takes, on the same memory."""

import numpy as np

from minibn.kernels.device_memory import CUDA

UNORDERED = -1  # how DLPack calls no stream at all


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
        return CUDA, self._view.device_id
