"""Loops over arrays as one axis: 16 bytes a step where the arrays begin at multiples of that."""

import functools
import math

import numpy as np
from numba import float32

from minibn.errors import ShapeError
from minibn.kernels.cuda import positions
from minibn.kernels.cuda.arrays import aligned, flat
from minibn.kernels.cuda.target import cuda, kernel, multiprocessors, ready
from minibn.kernels.cuda.vectors import make_vectors


@functools.cache
def make_map(make_formula, width, threads):
    """Return the kernel target = formula(source)."""
    formula = make_formula()
    load, store = make_vectors(width)

    @kernel(threads)
    def apply(source, size, target):
        buffer = cuda.local.array(width, float32)
        first = cuda.grid(1)
        whole = size // width
        for step in range(first, whole, cuda.gridsize(1)):
            load(source, np.int64(step) * width, buffer, 0)
            for k in range(width):
                buffer[k] = formula(buffer[k])
            store(target, np.int64(step) * width, buffer, 0)
        rest = np.int64(whole) * width + first
        if rest < size:
            target[rest] = formula(source[rest])

    return apply


@functools.cache
def make_map_pair(make_formula, width, threads):
    """Return the kernel target = formula(left, right)."""
    formula = make_formula()
    load, store = make_vectors(width)

    @kernel(threads)
    def apply_pair(left, right, size, target):
        a = cuda.local.array(width, float32)
        b = cuda.local.array(width, float32)
        first = cuda.grid(1)
        whole = size // width
        for step in range(first, whole, cuda.gridsize(1)):
            load(left, np.int64(step) * width, a, 0)
            load(right, np.int64(step) * width, b, 0)
            for k in range(width):
                a[k] = formula(a[k], b[k])
            store(target, np.int64(step) * width, a, 0)
        rest = np.int64(whole) * width + first
        if rest < size:
            target[rest] = formula(left[rest], right[rest])

    return apply_pair


def blocks_for(steps, threads):
    """Return the number of blocks for a loop over so many steps."""
    return max(1, min(-(-steps // threads), 2 * positions.BLOCKS * multiprocessors()))


def size_of(**arrays):
    """Return the number of entries that all arrays have.

    Raises
    ------
    ShapeError
        Where they differ, or are too many for one launch.
    """
    sizes = {name: math.prod(array.shape) for name, array in arrays.items()}
    if len(set(sizes.values())) != 1:
        raise ShapeError(
            f"arrays must have the same number of entries, got {sizes}; pass arrays of one shape"
        )
    size = next(iter(sizes.values()))
    if size >= 2**31:
        raise ShapeError(f"arrays must have fewer than 2**31 entries, got {size}; split them")
    return np.int32(size)


def launch(make, arrays, stream, *options):
    """Return a kernel for arrays of one size, ready to be called."""
    threads = positions.THREADS
    width = 4 if aligned(*arrays) else 1
    function = make(*options, width, threads)
    return ready(function, blocks_for(arrays[0].size // width, threads), threads, stream)


def run_map(make_formula, stream, **arrays):
    """Run a formula over its inputs, the last of ``arrays`` being the output."""
    size = size_of(**arrays)
    plain = [flat(name, array) for name, array in arrays.items()]
    make = make_map if len(plain) == 2 else make_map_pair
    launch(make, plain, stream, make_formula)(*plain[:-1], size, plain[-1])
