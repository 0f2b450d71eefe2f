"""Batch norm on several threads, with the bits of the serial kernels.

Each thread takes a part of the blocks that the serial kernels walk, and writes what it sums into rows of its own
of ``partial``, float64 of shape (blocks, 2, C), which the caller owns. The partial results are then merged in the
order of the blocks, by one thread.
"""

import numpy as np
from numba import prange

from minibn.kernels.compile import kernel, threaded_kernel
from minibn.kernels.cpu.batch_norm import (
    affine_tables,
    block_products,
    deviation_table,
    normalize,
    tilt_tables,
)
from minibn.kernels.cpu.channels import copy_channels
from minibn.kernels.cpu.positions import (
    CHANNELS,
    GROUP,
    LENGTH,
    ROWS,
    make_plan,
    plan_of,
    rows_of_part,
)
from minibn.kernels.cpu.scratch import scratch_like
from minibn.kernels.cpu.statistics import block_moments, finish_statistics, merge_moments
from minibn.kernels.cpu.sweeps import differentiate_rows
from minibn.kernels.cpu.tables import invert_deviations


def partial_sums(x):
    """Return scratch memory for a call on an array of shape (N, C) or (N, C, L)."""
    rows = plan_of(x.shape[0], x.shape[1], x.size)[ROWS]
    return np.empty((-(-x.shape[0] // rows), 2, x.shape[1]))


@kernel
def _keep(sums, squares, partial, block, begin, end):
    copy_channels(begin, end, sums, partial[block, 0])
    copy_channels(begin, end, squares, partial[block, 1])


@kernel
def _moments_part(x, partial, part, parts):
    plan = make_plan(x.shape[0], x.shape[1], x.size)
    shift, middle = scratch_like(x), scratch_like(partial)
    sums, squares = scratch_like(partial), scratch_like(partial)
    start, stop = rows_of_part(plan, x.shape[0], part, parts)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        for first in range(start, stop, plan[ROWS]):
            last = min(first + plan[ROWS], stop)
            block_moments(x, plan, first, last, begin, end, middle, shift, sums, squares)
            _keep(sums, squares, partial, first // plan[ROWS], begin, end)


@kernel
def _merge(x, partial, mean, var):
    rows, plan = x.shape[0], make_plan(x.shape[0], x.shape[1], x.size)
    for block in range(partial.shape[0]):
        first = block * plan[ROWS]
        before, n = first * plan[LENGTH], min(plan[ROWS], rows - first) * plan[LENGTH]
        merge_moments(mean, var, partial[block, 0], partial[block, 1], 0, mean.size, before, n)
    finish_statistics(x, mean, var)


@kernel
def _normalize_part(x, gamma, beta, mean, var, eps, y, relu, part, parts):
    plan = make_plan(x.shape[0], x.shape[1], x.size)
    start, stop = rows_of_part(plan, x.shape[0], part, parts)
    normalize(x, gamma, beta, mean, var, eps, y, relu is not None, start, stop)


@threaded_kernel
def normalize_threaded(x, gamma, beta, eps, y, mean, var, relu, partial, threads):
    """Play ``batch_norm_forward``, with its ReLU where ``relu`` is not None, on some threads."""
    for part in prange(threads):
        _moments_part(x, partial, part, threads)
    _merge(x, partial, mean, var)
    for part in prange(threads):
        _normalize_part(x, gamma, beta, mean, var, eps, y, relu, part, threads)


@kernel
def _products_part(dy, x, gamma, beta, mean, var, eps, relu, partial, part, parts):
    plan = make_plan(x.shape[0], x.shape[1], x.size)
    inverse, deviation = scratch_like(mean), scratch_like(x)
    center, scale, shift = scratch_like(x), scratch_like(x), scratch_like(x)
    sums, products = scratch_like(mean), scratch_like(mean)
    start, stop = rows_of_part(plan, x.shape[0], part, parts)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        invert_deviations(var, eps, begin, end, inverse)
        affine_tables(gamma, beta, mean, inverse, plan, begin, end, center, scale, shift)
        deviation_table(inverse, plan, end - begin, deviation)
        for first in range(start, stop, plan[ROWS]):
            last = min(first + plan[ROWS], stop)
            block_products(
                dy, x, plan, first, last, begin, end, center, deviation, scale, shift, sums, products, relu
            )
            _keep(sums, products, partial, first // plan[ROWS], begin, end)


@kernel
def _add_up(partial):
    """Add all blocks to the first, in their order."""
    for block in range(1, partial.shape[0]):
        for j in range(partial.shape[2]):
            partial[0, 0, j] += partial[block, 0, j]
            partial[0, 1, j] += partial[block, 1, j]


@kernel
def _dx_part(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, relu, partial, part, parts):
    plan = make_plan(x.shape[0], x.shape[1], x.size)
    inverse, dy_sum, product_sum = scratch_like(mean), scratch_like(mean), scratch_like(mean)
    center, scale, shift = scratch_like(x), scratch_like(x), scratch_like(x)
    dy_mean, slope, offset = scratch_like(x), scratch_like(x), scratch_like(x)
    n = x.size // mean.size
    start, stop = rows_of_part(plan, x.shape[0], part, parts)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        invert_deviations(var, eps, begin, end, inverse)
        affine_tables(gamma, beta, mean, inverse, plan, begin, end, center, scale, shift)
        for q in range(end - begin):
            dy_sum[q], product_sum[q] = partial[0, 0, begin + q], partial[0, 1, begin + q]
        tilt_tables(mean, inverse, plan, n, begin, end, dy_sum, product_sum, dy_mean, slope, offset)
        if part == 0:
            copy_channels(begin, end, product_sum, dgamma)
            copy_channels(begin, end, dy_sum, dbeta)
        last = stop
        while last > start:
            first = (last - 1) // plan[ROWS] * plan[ROWS]
            differentiate_rows(
                dy, x, dx, center, slope, offset, dy_mean, scale, shift, relu, plan, first, last, begin, end
            )  # fmt: skip
            last = first


@threaded_kernel
def differentiate_threaded(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, relu, partial, threads):
    """Play ``batch_norm_backward``, or that of the ReLU behind it, on some threads; N * L at least 3."""
    for part in prange(threads):
        _products_part(dy, x, gamma, beta, mean, var, eps, relu, partial, part, threads)
    _add_up(partial)
    for part in prange(threads):
        _dx_part(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, relu, partial, part, threads)
