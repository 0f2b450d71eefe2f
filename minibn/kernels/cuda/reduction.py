"""Sums over the threads of a block, and over the blocks that share a column, always in the same order.

The last block to arrive merges the partial results of all, in the order of the blocks: no atomic addition of
floats, the same bits in every run. The counter that tells it so is back at 0 when it is done.
"""

import functools

import numpy as np

from minibn.kernels.cuda.target import cuda, device_function
from minibn.kernels.cuda.vectors import make_fresh

ZERO, ONE = np.float32(0), np.float32(1)


@functools.cache
def make_arrival():
    """Return ``last_to_arrive(arrivals, counter, total, flag)``, the same answer for all threads of a block."""

    @device_function
    def last_to_arrive(arrivals, counter, total, flag):
        cuda.threadfence()  # what this thread has written, before the counter
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            before = cuda.atomic.add(arrivals, counter, 1)
            flag[0] = 1 if before == total - 1 else 0
            if before == total - 1:
                arrivals[counter] = 0
        cuda.syncthreads()
        cuda.threadfence()
        return flag[0] == 1

    return last_to_arrive


@functools.cache
def make_half():
    """Return ``half_of(rows)``: the largest power of two below a number of rows, 0 for one row."""

    @device_function
    def half_of(rows):
        half = 1
        while half < rows:
            half *= 2
        return half // 2

    return half_of


@functools.cache
def make_pair_sums(lanes):
    """Return ``add_rows(row, rows, columns, a, b, shared_a, shared_b)``: sums over rows of threads.

    ``a`` and ``b`` hold ``lanes`` values per thread; afterwards those of row 0 hold the sums.
    """
    half_of = make_half()

    @device_function
    def add_rows(row, rows, columns, a, b, shared_a, shared_b):
        own = cuda.threadIdx.x * lanes
        for j in range(lanes):
            shared_a[own + j] = a[j]
            shared_b[own + j] = b[j]
        cuda.syncthreads()
        half = half_of(rows)
        while half > 0:
            if row < half and row + half < rows:
                other = own + half * columns * lanes
                for j in range(lanes):
                    a[j] += shared_a[other + j]
                    b[j] += shared_b[other + j]
                    shared_a[own + j] = a[j]
                    shared_b[own + j] = b[j]
            cuda.syncthreads()
            half //= 2

    return add_rows


@functools.cache
def make_partial_sums(lanes):
    """Return ``sum_partials``: the sums of the slabs row, row + rows, ..., as their blocks wrote them."""
    fresh = make_fresh()

    @device_function
    def sum_partials(partials, slabs, row, rows, c, channels, a, b):
        for j in range(lanes):
            a[j] = ZERO
            b[j] = ZERO
        for slab in range(row, slabs, rows):
            for j in range(lanes):
                a[j] += fresh(partials, slab * channels + c + j)
                b[j] += fresh(partials, (slabs + slab) * channels + c + j)

    return sum_partials


@functools.cache
def make_block_sums(lanes):
    """Return ``add_blocks``: as ``add_rows``, over the rows of threads of all slabs, which are a block each.

    It returns whether this block is the one whose row 0 holds the sums; ``counter`` is where the slabs count arrivals.
    """
    add_rows, sum_partials, last_to_arrive = make_pair_sums(lanes), make_partial_sums(lanes), make_arrival()

    @device_function
    def add_blocks(
        row, rows, columns, inside, c, channels, slab, slabs, counter, a, b, shared_a, shared_b, flag, partials, arrivals
    ):  # fmt: skip
        add_rows(row, rows, columns, a, b, shared_a, shared_b)
        if slabs == 1:
            return True
        if inside and row == 0:
            for j in range(lanes):
                partials[slab * channels + c + j] = a[j]
                partials[(slabs + slab) * channels + c + j] = b[j]
        last = last_to_arrive(arrivals, counter, slabs, flag)
        if last:
            if inside:
                sum_partials(partials, slabs, row, rows, c, channels, a, b)
            add_rows(row, rows, columns, a, b, shared_a, shared_b)
        return last

    return add_blocks


@functools.cache
def make_moment_merge(lanes):
    """Return ``merge_rows``: as the sums, for count, mean and sum of squared deviations of every thread.

    Chan, Golub and LeVeque 1983, equation 2.1.
    """
    half_of = make_half()

    @device_function
    def merge_rows(row, rows, columns, count, mean, square, counts, means, squares):
        thread = cuda.threadIdx.x
        own = thread * lanes
        counts[thread] = count
        for j in range(lanes):
            means[own + j] = mean[j]
            squares[own + j] = square[j]
        cuda.syncthreads()
        half = half_of(rows)
        while half > 0:
            if row < half and row + half < rows:
                other = thread + half * columns
                more = counts[other]
                if more > ZERO:
                    weight = more / (count + more)
                    for j in range(lanes):
                        gap = means[other * lanes + j] - mean[j]
                        mean[j] += gap * weight
                        square[j] += squares[other * lanes + j] + gap * gap * (count * weight)
                        means[own + j] = mean[j]
                        squares[own + j] = square[j]
                    count += more
                    counts[thread] = count
            cuda.syncthreads()
            half //= 2
        return count

    return merge_rows
