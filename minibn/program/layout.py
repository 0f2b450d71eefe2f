"""Where things lie: named spans in flat arenas."""

import math
from dataclasses import dataclass

import numpy as np

_ALIGNMENT = 64  # bytes: one cache line, and the widest vector register


@dataclass(frozen=True)
class Span:
    """A named stretch of an arena.

    Attributes
    ----------
    name : str
        For people, e.g. ``"0.weight"`` or ``"dense.0 output"``.
    offset : int
        First entry.
    shape : tuple of int
        The first axis of an activation is the largest batch.
    """

    name: str
    offset: int
    shape: tuple

    @property
    def size(self):
        """Number of entries."""
        return math.prod(self.shape)

    def view(self, arena):
        """Return the span of an arena as an array of its shape."""
        return arena[self.offset : self.offset + self.size].reshape(self.shape)


class Layout:
    """Hands out spans of one arena.

    Parameters
    ----------
    dtype : dtype
    """

    def __init__(self, dtype):
        self.dtype, self.spans, self._end = np.dtype(dtype), [], 0

    def add(self, name, shape, aligned=True):
        """Append a span; unaligned ones follow the last without a gap."""
        step = _ALIGNMENT // self.dtype.itemsize if aligned else 1
        offset = -(-self._end // step) * step
        span = Span(name, offset, tuple(map(int, shape)))
        self._end = offset + span.size
        self.spans.append(span)
        return span

    @property
    def size(self):
        """Number of entries up to the end of the last span."""
        return self._end

    def allocate(self):
        """Return a zeroed arena that holds all spans, aligned to a cache line."""
        spare = _ALIGNMENT // self.dtype.itemsize
        memory = np.zeros(self._end + spare, self.dtype)
        skip = (-memory.ctypes.data // self.dtype.itemsize) % spare
        return memory[skip : skip + self._end]

    def at(self, offset):
        """Return the span that starts at an offset, None where there is none."""
        return next((span for span in self.spans if span.offset == offset), None)
