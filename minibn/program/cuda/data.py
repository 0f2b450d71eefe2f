"""The rows of a data set on the device: copied there once."""

import numpy as np

from minibn.kernels.cuda.arrays import to_device

_KEPT = 12  # arrays: features, labels and weights of training, validation and a few more


class DeviceData:
    """Keeps copies of the arrays of the host that were asked for last.

    An array is known by its memory, shape and dtype. It must not be changed while it is kept; :meth:`forget` drops
    all copies.
    """

    def __init__(self, stream):
        self._stream, self._copies = stream, {}

    def get(self, array, dtype):
        """Return a copy of an array on the device, as one axis of a dtype; of one entry where it is empty."""
        memory = array.__array_interface__
        key = memory["data"][0], array.shape, array.strides, array.dtype, np.dtype(dtype)
        _, copy = kept = self._copies.pop(key, None) or (array, self._copied(array, dtype))
        self._copies[key] = kept  # now the newest; the array itself is kept, so that its memory stays its own
        while len(self._copies) > _KEPT:
            del self._copies[next(iter(self._copies))]
        return copy

    def _copied(self, array, dtype):
        flat = np.ascontiguousarray(array, dtype).reshape(-1)
        return to_device(flat if flat.size else np.zeros(1, dtype), self._stream)

    def forget(self):
        """Drop all copies."""
        self._copies.clear()
