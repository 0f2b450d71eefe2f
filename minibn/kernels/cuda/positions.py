"""Which thread takes which values: one mapping for (N, C) and for (N, C, L).

A *step* is one access of ``width`` neighbouring values. In an (N, C) array the steps of a thread lie in one column
of ``width`` channels, one a row; in an (N, C, L) array they lie in the planes of one channel. A block has
``columns`` times ``rows`` threads: neighbouring threads take neighbouring columns, also where C is 20, and step k of
a column belongs to row k of the threads of all blocks of that column (its *slabs*), counted round and round.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from minibn.errors import ShapeError
from minibn.kernels.cuda.target import SIMULATED, cuda, device_function, multiprocessors, ready

#: Threads of a block. The simulator runs every one of them as a thread of Python.
THREADS = 16 if SIMULATED else 256
#: Blocks for each multiprocessor: with four steps in flight per thread these keep the memory busy.
BLOCKS = 6 if SIMULATED else 4
#: Bytes of a row that a block takes.
TILE = 512
#: Steps in flight per thread.
UNROLL = 4


@dataclass(frozen=True)
class Positions:
    """How an array is cut.

    Attributes
    ----------
    width : int
        Values of a step, 1 or 4.
    planes : bool
        Whether the array is (N, C, L) with L above 1.
    threads : int
        Threads of a block.
    tiles, slabs : int
        Blocks along the channels, and blocks that share the steps of one column.
    sizes : tuple of int32
        Steps of a column, channels, steps of a plane, columns and rows of a block: in this order, arguments of every
        kernel.
    """

    width: int
    planes: bool
    threads: int
    tiles: int
    slabs: int
    sizes: tuple

    @property
    def grid(self):
        """Return the shape of the grid."""
        return self.tiles, self.slabs

    @property
    def partials(self):
        """Return the number of partial results, two per slab and channel."""
        return 2 * self.slabs * int(self.sizes[1]) if self.slabs > 1 else 1

    def ready(self, make, stream, *options):
        """Return a kernel for this cut, ready to be called."""
        function = make(self.width, self.planes, self.threads, *options)
        return ready(function, self.grid, self.threads, stream)


def positions_of(shape, vectors):
    """Return how to cut an array of shape (N, C) or (N, C, L).

    Parameters
    ----------
    shape : tuple of int
    vectors : bool
        Whether all arrays begin at a multiple of 16 bytes.
    """
    return _cut(tuple(shape), vectors, THREADS, BLOCKS * multiprocessors())


@functools.lru_cache(maxsize=256)
def _cut(shape, vectors, threads, blocks):
    rows, channels, length = shape[0], shape[1], math.prod(shape[2:])
    planes = length > 1
    width = 4 if vectors and (length if planes else channels) % 4 == 0 else 1
    steps, groups = (rows * length // width, channels) if planes else (rows, channels // width)
    columns = 1 if planes else min(groups, TILE // (4 * width), threads)
    depth, tiles = threads // columns, -(-groups // columns)
    if steps >= 2**31 or channels * length >= 2**31:
        raise ShapeError(
            f"x must have fewer than 2**31 values per channel and row, got shape {shape}; split it"
        )
    slabs = min(-(-steps // (depth * UNROLL)), max(1, blocks // tiles), 65535)
    sizes = steps, channels, length // width, columns, depth
    # Python's integers would be 64 bits wide in a kernel.
    return Positions(width, planes, threads, tiles, slabs, tuple(map(np.int32, sizes)))


@functools.cache
def make_positions(width, planes):
    """Return device functions ``channel(column, columns)`` and ``address(step, channel, channels, length)``."""

    @device_function
    def channel(column, columns):
        return cuda.blockIdx.x if planes else (cuda.blockIdx.x * columns + column) * width

    @device_function
    def address(step, c, channels, length):
        if planes:
            image = np.uint32(step) // np.uint32(length)  # 64 bits would take four times as long
            plane = np.int64(image) * channels + c
            return (plane * length + (step - np.int64(image) * length)) * width
        return np.int64(step) * channels + c

    return channel, address
