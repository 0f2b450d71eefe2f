"""Copies of arrays at random places in memory.

Where arrays lie relative to each other changes the speed of a loop, up to a factor of two.
"""

import numpy as np

_PAGE, _LINE = 4096, 64  # bytes


def placed(value, rng):
    """Return a copy of an array at a random cache line of a page; other values as they are."""
    if not isinstance(value, np.ndarray):
        return value
    memory = np.empty(value.nbytes + 2 * _PAGE, np.uint8)
    start = -memory.ctypes.data % _PAGE + _LINE * int(rng.integers(_PAGE // _LINE))
    copy = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy
