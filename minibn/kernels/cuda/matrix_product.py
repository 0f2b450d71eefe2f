"""The product of two matrices, from scratch: tiles in registers, operands through shared memory.

A block writes a tile of the result and takes a few terms of the sums at a time. While it adds one part, which lies in
shared memory, it fetches the next one into registers. Where the result is small and the sums are long, several
blocks (slabs) share the sums of a tile, and the last to arrive adds up their parts in a fixed order.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numba import float32, int32

from minibn.kernels.cuda.reduction import ZERO, make_arrival
from minibn.kernels.cuda.target import SIMULATED, cuda, device_function, kernel, multiprocessors
from minibn.kernels.cuda.vectors import make_fresh, make_vectors

PAD = 4  # values between two rows in shared memory: spreads a column over the banks
ALIGNMENT = None if SIMULATED else 16


@dataclass(frozen=True)
class Tile:
    """Rows and columns of the result that a block writes, terms it takes at a time, rows and columns of a thread."""

    rows: int
    columns: int
    depth: int
    height: int
    width: int

    @property
    def threads(self):
        """Return the number of threads of a block."""
        return (self.rows // self.height) * (self.columns // self.width)


LARGE, SMALL, SIMULATORS = Tile(128, 128, 8, 8, 8), Tile(32, 32, 16, 4, 4), Tile(16, 8, 4, 4, 4)
SHORTEST = 256  # terms of a sum that are not shared out further


@functools.cache
def make_fetch(outer, depth, threads, vector, along):
    """Return ``fetch`` and ``put``: part of an operand into registers, and from there into shared memory.

    Parameters
    ----------
    outer, depth : int
        Rows of the result (or columns, for the right operand) and terms of the part.
    threads : int
    vector : int
        Values per access, 1 or 4.
    along : bool
        Whether neighbours in memory are terms of one sum; otherwise they belong to neighbouring sums.
    """
    held = outer * depth // (threads * vector)
    inner = (depth if along else outer) // vector
    stride = outer + PAD
    load, _ = make_vectors(vector)

    @device_function
    def fetch(source, first, extent, start, stop, terms, values):
        for i in range(held):
            entry = cuda.threadIdx.x + i * threads
            major = entry // inner
            minor = (entry - major * inner) * vector
            o = first + (major if along else minor)
            k = start + (minor if along else major)
            if o < extent and k < stop:
                load(
                    source, np.int64(o) * terms + k if along else np.int64(k) * extent + o, values, i * vector
                )
            else:
                for v in range(vector):
                    values[i * vector + v] = ZERO

    @device_function
    def put(values, shared, begin):
        for i in range(held):
            entry = cuda.threadIdx.x + i * threads
            major = entry // inner
            minor = (entry - major * inner) * vector
            for v in range(vector):
                if along:
                    shared[begin + (minor + v) * stride + major] = values[i * vector + v]
                else:
                    shared[begin + major * stride + minor + v] = values[i * vector + v]

    return fetch, put


@functools.cache
def make_add_terms(tile):
    """Return ``add_terms``: add a part's terms to a thread's sums."""
    height, width, depth = tile.height, tile.width, tile.depth
    left_stride, right_stride = tile.rows + PAD, tile.columns + PAD
    across = tile.columns // width * 4  # a thread's columns are quadruples, this far apart
    load, _ = make_vectors(4)

    @device_function
    def add_terms(left, left_begin, right, right_begin, row, column, a, b, sums):
        for k in range(depth):
            for i in range(height // 4):
                load(left, left_begin + k * left_stride + row + i * 4, a, i * 4)
            for j in range(width // 4):
                load(right, right_begin + k * right_stride + column + j * across, b, j * 4)
            for i in range(height):
                for j in range(width):
                    sums[i * width + j] += a[i] * b[j]

    return add_terms


@functools.cache
def make_write_sums(tile, based):
    """Return ``write_sums``: a thread's sums into the result, or, where slabs share them, into the slab's own."""
    height, width, across = tile.height, tile.width, tile.columns // tile.width * 4

    @device_function
    def write_sums(sums, row, rows, column, columns, base, partials, out):
        shared_out = cuda.gridDim.z > 1
        begin = np.int64(cuda.blockIdx.z) * rows * columns
        for i in range(height):
            for j in range(width):
                c = column + j // 4 * across + j % 4
                if row + i < rows and c < columns:
                    at = np.int64(row + i) * columns + c
                    value = sums[i * width + j]
                    if shared_out:
                        partials[begin + at] = value
                    else:
                        out[at] = value + base[c] if based else value

    return write_sums


@functools.cache
def make_merge_slabs(tile, based):
    """Return ``merge_slabs``: what the last block of a tile does, adding up the slabs in their order."""
    threads, tile_columns, entries = tile.threads, tile.columns, tile.rows * tile.columns
    fresh = make_fresh()

    @device_function
    def merge_slabs(first_row, rows, first_column, columns, base, partials, out):
        for entry in range(cuda.threadIdx.x, entries, threads):
            r = first_row + entry // tile_columns
            c = first_column + entry % tile_columns
            if r < rows and c < columns:
                at = np.int64(r) * columns + c
                total = base[c] if based else ZERO
                for slab in range(cuda.gridDim.z):
                    total += fresh(partials, np.int64(slab) * rows * columns + at)
                out[at] = total

    return merge_slabs


@functools.cache
def make_product(tile, vector, along_left, along_right, based):
    """Return the kernel out = left right, plus a row ``base`` where ``based``.

    ``along_left`` is False for a left operand that lies transposed in memory, ``along_right`` is True for a right
    one that does.
    """
    threads, height, width = tile.threads, tile.height, tile.width
    left_part, right_part = tile.depth * (tile.rows + PAD), tile.depth * (tile.columns + PAD)
    left_room, right_room, results = 2 * left_part, 2 * right_part, height * width
    left_held, right_held = tile.rows * tile.depth // threads, tile.columns * tile.depth // threads
    rows_of_tile, columns_of_tile, depth = tile.rows, tile.columns, tile.depth
    per_row = tile.columns // width
    fetch_left, put_left = make_fetch(tile.rows, depth, threads, vector, along_left)
    fetch_right, put_right = make_fetch(tile.columns, depth, threads, vector, along_right)
    add_terms, last_to_arrive = make_add_terms(tile), make_arrival()
    write_sums, merge_slabs = make_write_sums(tile, based), make_merge_slabs(tile, based)

    @kernel(threads)
    def product(left, right, base, rows, columns, terms, share, partials, arrivals, out):
        left_shared = cuda.shared.array(left_room, float32, ALIGNMENT)
        right_shared = cuda.shared.array(right_room, float32, ALIGNMENT)
        flag = cuda.shared.array(1, int32)
        sums = cuda.local.array(results, float32)
        a = cuda.local.array(height, float32)
        b = cuda.local.array(width, float32)
        next_left = cuda.local.array(left_held, float32)
        next_right = cuda.local.array(right_held, float32)
        row = cuda.threadIdx.x // per_row * height
        column = (cuda.threadIdx.x - cuda.threadIdx.x // per_row * per_row) * 4
        first_row = cuda.blockIdx.x * rows_of_tile
        first_column = cuda.blockIdx.y * columns_of_tile
        start = cuda.blockIdx.z * share
        stop = min(start + share, terms)
        for i in range(results):
            sums[i] = ZERO
        fetch_left(left, first_row, rows, start, stop, terms, next_left)
        fetch_right(right, first_column, columns, start, stop, terms, next_right)
        put_left(next_left, left_shared, 0)
        put_right(next_right, right_shared, 0)
        cuda.syncthreads()
        half = 0
        while start < stop:
            start += depth
            if start < stop:
                fetch_left(left, first_row, rows, start, stop, terms, next_left)
                fetch_right(right, first_column, columns, start, stop, terms, next_right)
            add_terms(left_shared, half * left_part, right_shared, half * right_part, row, column, a, b, sums)
            half = 1 - half
            if start < stop:
                put_left(next_left, left_shared, half * left_part)
                put_right(next_right, right_shared, half * right_part)
            cuda.syncthreads()
        slabs = cuda.gridDim.z
        write_sums(sums, first_row + row, rows, first_column + column, columns, base, partials, out)
        if slabs > 1:
            number = cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x
            if last_to_arrive(arrivals, number, slabs, flag):
                merge_slabs(first_row, rows, first_column, columns, base, partials, out)

    return product


@dataclass(frozen=True)
class Cut:
    """How a product is shared out: tile, grid, and terms of each slab."""

    tile: Tile
    grid: tuple
    share: int


@functools.lru_cache(maxsize=256)
def cut(rows, columns, terms, tile=None):
    """Return how to share out a product of (rows, terms) and (terms, columns).

    Large tiles where they keep all multiprocessors busy, and longer sums in slabs where nothing else does.
    """
    wanted = 2 * multiprocessors()
    if tile is None:
        large = -(-rows // LARGE.rows) * -(-columns // LARGE.columns)
        tile = SIMULATORS if SIMULATED else (LARGE if large >= multiprocessors() else SMALL)
    across, down = -(-columns // tile.columns), -(-rows // tile.rows)
    shortest = 2 * tile.depth if SIMULATED else SHORTEST
    slabs = max(1, min(wanted // (across * down), terms // shortest))
    share = -(-terms // (slabs * tile.depth)) * tile.depth
    return Cut(tile, (down, across, -(-terms // share)), share)  # rows may be many: only x may count far
