"""What the threads of one block compute together: sums in a fixed order, and scalar parts that need no float64.

Every function is called by all threads of the block, and returns the same to all of them.
"""

import math

import numpy as np

from minibn.kernels.cuda.target import cuda, device_function

ZERO, ONE, INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)
ROWS_A_THREAD = 4
"""Rows that one thread adds up at least: more threads would spend their time on the sum of their sums."""


@device_function
def block_total(value, room):
    """Return the sum of every thread's value; the number of threads is a power of two."""
    t = cuda.threadIdx.x
    cuda.syncthreads()
    room[t] = value
    cuda.syncthreads()
    step = cuda.blockDim.x // 2
    while step > 0:
        if t < step:
            room[t] += room[t + step]
        cuda.syncthreads()
        step //= 2
    return room[0]


@device_function
def column_total(value, room, width, slices):
    """Return the sum of the values of the threads t, t + width, ...: of the ``slices`` parts of a column."""
    t = cuda.threadIdx.x
    cuda.syncthreads()
    room[t] = value
    cuda.syncthreads()
    total = ZERO
    for k in range(slices):
        total += room[k * width + t % width]
    return total


@device_function
def row_of(p, columns):
    """Return p // columns of numbers below 2**31; a division of 64 bits would take four times as long."""
    return np.int32(np.uint32(p) // np.uint32(columns))


@device_function
def slices_of(width, rows):
    """Return into how many parts the rows of ``width`` columns are cut for a sum."""
    return max(1, min(cuda.blockDim.x // width, rows // ROWS_A_THREAD))


@device_function
def exact_sum(a, b):
    """Return a + b rounded, and what the rounding left out (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


@device_function
def finite(value):
    """Say whether a number is neither infinite nor NaN; ``math.isfinite`` goes through float64."""
    return value - value == ZERO


@device_function
def inverse_deviation(var, eps):
    """Return 1 / sqrt(var + eps); 0 where that is 1 / 0, NaN where the variance overflowed."""
    total = var + eps
    if total == ZERO:
        return ZERO
    if total == INFINITY:
        return total - total
    return ONE / math.sqrt(total)
