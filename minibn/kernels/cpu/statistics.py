"""Exact statistics of the channels of an (N, C) or (N, C, L) array, and the running averages of them.

The data is read once. In each block of rows the differences from a shift near the mean are summed in the dtype
of the data, eight rows at a time, and the rest in float64: the difference of two nearby numbers is exact. The
moments of the blocks are merged in a fixed order (Chan, Golub and LeVeque 1983, equation 2.1).
"""

import math

import numpy as np

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.positions import CHANNELS, GROUP, LENGTH, ROWS, SPREAD, make_plan
from minibn.kernels.cpu.scratch import flat, rolled, scratch_like
from minibn.kernels.cpu.sweeps import VARIED, sum_differences
from minibn.kernels.cpu.tables import clear, expand, fold, update_moments

_SAMPLES = 8  # rows whose mean is the shift of a block
_UNDERFLOW = 1e-280  # below this a float64 sum of squares has lost digits
_UNDERFLOW_32 = 1e-34  # the same for the mean of float32 squares


@kernel
def block_moments(x, plan, first, last, begin, end, base, shift, sums, squares):
    """Write mean and sum of squared deviations of channels begin to end in rows first to last.

    Both stand at the beginning of the tables ``sums`` and ``squares``. The sums are taken twice: of a few rows,
    spread over the block, around the first row; and of all rows around the mean of these few, the shift.
    Neither a trend nor an outlier in the first row takes it far from the mean, and where all values are one
    constant, so is the shift.
    """
    length, row = plan[LENGTH], plan[CHANNELS] * plan[LENGTH]
    data, start = flat(x), first * row + begin * length
    for q in range(end - begin):
        rolled()
        base[q] = shift[q] = data[start + q * length]
    rows = last - first
    samples, step = min(rows, _SAMPLES), max(rows // _SAMPLES, 1) * row
    if plan[SPREAD] < length:
        samples, step = _SAMPLES, length // _SAMPLES
    share = 1.0 / (samples * plan[SPREAD])
    for _ in range(2):
        rolled()
        expand(shift, plan, end - begin)
        clear(sums, plan)
        clear(squares, plan)
        sum_differences(x, shift, sums, squares, plan, first, first + samples, begin, end, step)
        fold(sums, plan, end - begin)
        fold(squares, plan, end - begin)
        update_moments(base, shift, sums, squares, end - begin, share)
        samples, step, share = rows, 0, 1.0 / (rows * length)


@kernel
def merge_moments(mean, square, block_mean, block_square, begin, end, before, rows):
    """Merge moments of a block of some rows into those of the rows before it."""
    weight = rows / (before + rows)
    for q in range(end - begin):
        rolled()
        j = begin + q
        if before == 0:
            mean[j], square[j] = block_mean[q], block_square[q]
        else:
            delta = block_mean[q] - mean[j]
            mean[j] += delta * weight
            square[j] += block_square[q] + (delta * delta * (before * weight) + VARIED * (delta != 0.0))


@kernel
def batch_statistics(x, mean, var):
    """Compute mean and biased variance of each channel, exactly at any mean.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous, N at least 1. Nothing is checked.
    mean, var : ndarray of float64, shape (C,)
        Outputs. ``var`` is NaN where squares leave the range of float64.
    """
    rows, plan = x.shape[0], make_plan(x.shape[0], x.shape[1], x.size)
    base, shift = scratch_like(mean), scratch_like(x)
    sums, squares = scratch_like(mean), scratch_like(mean)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        for first in range(0, rows, plan[ROWS]):
            last = min(first + plan[ROWS], rows)
            block_moments(x, plan, first, last, begin, end, base, shift, sums, squares)
            merge_moments(mean, var, sums, squares, begin, end, first, last - first)
    finish_statistics(x, mean, var)


@kernel
def finish_statistics(x, mean, var):
    """Turn sums of squares into variances; what left the range of the dtype is computed again in float64."""
    n = x.size // mean.size
    share = 1.0 / n
    least = _UNDERFLOW_32 * n if x.itemsize == 4 else _UNDERFLOW
    for j in range(mean.size):
        rolled()
        # A constant channel has exactly 0. Of two values, the gradients cancel down to the error of the variance.
        if var[j] != 0.0 and (n == 2 or not least <= var[j] < math.inf):
            _recompute(flat(x), x.shape[0], j, mean, var)
        var[j] *= share


@kernel
def _recompute(data, rows, j, mean, var):
    """Write the mean of a channel and its sum of squares, in float64 and two passes."""
    length, step = data.size // (rows * mean.size), data.size // rows
    center, total = np.float64(data[j * length]), 0.0
    for power in range(2):
        mean[j], total = center, 0.0
        for start in range(j * length, data.size, step):
            for k in range(start, start + length):
                rolled()
                difference = np.float64(data[k]) - center
                total += difference * difference if power else difference
            if not abs(total) < math.inf:
                break  # NaN and infinity stay
        center += total / (rows * length)
    var[j] = total if total >= _UNDERFLOW else math.nan  # underflow: better visible than wrong


@kernel
def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum):
    """Move running statistics towards those of one batch: running = (1 - momentum) running + momentum new.

    Parameters
    ----------
    running_mean, running_var : ndarray of float64, shape (C,)
        Changed in place.
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.
    n : int
        Rows of the batch: the variance enters times n / (n - 1), unbiased. 0 keeps it biased.
    momentum : float
        Weight of the new value, in [0, 1].

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 10, with a moving average for the expectation.
    """
    correction = n / (n - 1) if n > 0 else 1.0
    for j in range(running_mean.size):
        rolled()
        running_mean[j] += momentum * (mean[j] - running_mean[j])
        running_var[j] += momentum * (var[j] * correction - running_var[j])
