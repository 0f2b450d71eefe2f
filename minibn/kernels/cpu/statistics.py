"""Exact statistics of the channels of an (N, C) or (N, C, L) array, and the running averages of them.

The data is read once. Each block of rows is summed in float64, eight rows at a time, around 0 or around its first
row: whichever leaves nearly all digits of the variance. The moments of the blocks are merged in a fixed order (Chan,
Golub and LeVeque 1983, equation 2.1).
"""

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.channels import center_sums, copy_channels, finish_squares, merge_sums
from minibn.kernels.cpu.positions import CHANNELS, GROUP, LENGTH, ROWS, make_plan
from minibn.kernels.cpu.scratch import rolled, scratch_like
from minibn.kernels.cpu.sweeps import sum_differences
from minibn.kernels.cpu.tables import clear, expand, fold
from minibn.kernels.cpu.views import flat


@kernel_part
def _choose_shifts(x, plan, row, begin, channels, everywhere, middle, shift):
    """Write the first value of a row everywhere or where ``middle`` is not 0, else 0, to ``middle`` and ``shift``."""
    data, start = flat(x), (row * plan[CHANNELS] + begin) * plan[LENGTH]
    for q in range(channels):
        rolled()
        shift[q] = data[start + q * plan[LENGTH]] if everywhere or middle[q] else 0.0
    copy_channels(0, channels, shift, middle)
    expand(shift, plan, channels)


@kernel_part
def block_moments(x, plan, first, last, begin, end, middle, shift, sums, squares):
    """Write mean and sum of squared deviations of channels begin to end in rows first to last.

    Both stand at the beginning of the tables ``sums`` and ``squares``; ``middle`` and ``shift`` are scratch tables.
    float32 is summed around 0. Where that loses digits for some channels, among them constant ones, all is summed
    once more, those around their first value: around its own value a constant channel has sums of exactly 0.
    """
    channels, share = end - begin, 1.0 / ((last - first) * plan[LENGTH])
    wide = x.itemsize == 8  # squares of float64 round, and may leave its range: never around 0
    near = not wide
    clear(middle, plan)
    while True:
        clear(sums, plan)
        clear(squares, plan)
        if near:
            sum_differences(x, None, sums, squares, plan, first, last, begin, end)
        else:
            _choose_shifts(x, plan, first, begin, channels, wide, middle, shift)
            sum_differences(x, shift, sums, squares, plan, first, last, begin, end)
        fold(sums, plan, channels)
        fold(squares, plan, channels)
        far = center_sums(0, channels, middle, sums, squares, share)
        if not (near and far):
            break
        near = False


@kernel_part
def merge_moments(mean, square, block_mean, block_square, begin, end, before, n):
    """Merge moments of n values per channel into those of the values before them."""
    weight = n / (before + n)
    merge_sums(begin, end, mean, square, block_mean, block_square, weight, before * weight, float(before))


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
    shift, middle = scratch_like(x), scratch_like(mean)
    sums, squares = scratch_like(mean), scratch_like(mean)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        for first in range(0, rows, plan[ROWS]):
            last = min(first + plan[ROWS], rows)
            block_moments(x, plan, first, last, begin, end, middle, shift, sums, squares)
            before, n = first * plan[LENGTH], (last - first) * plan[LENGTH]
            merge_moments(mean, var, sums, squares, begin, end, before, n)
    finish_statistics(x, mean, var)


@kernel_part
def finish_statistics(x, mean, var):
    """Turn sums of squares into variances."""
    finish_squares(0, mean.size, var, mean.size / x.size)


@kernel_part
def move_running_stats(running_mean, running_var, mean, var, n, momentum):
    """Play :func:`update_running_stats_inplace` as a part of a kernel."""
    correction = n / (n - 1) if n > 0 else 1.0
    for j in range(running_mean.size):
        rolled()
        running_mean[j] += momentum * (mean[j] - running_mean[j])
        running_var[j] += momentum * (var[j] * correction - running_var[j])


@kernel
def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum):
    """Move running statistics towards those of one batch: running = (1 - momentum) running + momentum new.

    Parameters
    ----------
    running_mean, running_var : ndarray of float64, shape (C,)
        Changed in place.
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.
    n : int or float
        Rows of the batch, or the sum of their weights: the variance enters times n / (n - 1), unbiased. 0 keeps it
        biased.
    momentum : float
        Weight of the new value, in [0, 1].

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 10, with a moving average for the expectation.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.kernels import update_running_stats_inplace
    >>> running_mean, running_var = np.zeros(1), np.ones(1)
    >>> update_running_stats_inplace(running_mean, running_var, np.array([2.0]), np.array([3.0]), 4, 0.1)
    >>> running_mean.round(3), running_var.round(3)  # 0.9 * 1 + 0.1 * 3 * 4 / 3
    (array([0.2]), array([1.3]))
    """
    move_running_stats(running_mean, running_var, mean, var, n, momentum)
