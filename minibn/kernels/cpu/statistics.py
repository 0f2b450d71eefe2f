"""Exact statistics of the columns of an (N, C) array, and the running averages of them."""

import math

import numpy as np

from minibn.kernels.compile import kernel

_UNDERFLOW = 1e-280  # below this a float64 sum of squares has lost digits, or is the exact 0 of a constant


@kernel
def inverse_deviation(var, eps):
    """Return 1 / sqrt(var + eps); 0 where that is 1 / 0, NaN where the variance overflowed.

    The zero makes a constant feature come out as beta, with zero gradient, also at ``eps = 0``; the NaN keeps
    an overflow from looking like a constant feature.
    """
    total = var + eps
    if total == 0.0:
        return 0.0
    if total == math.inf:
        return math.nan
    return 1.0 / math.sqrt(total)


@kernel
def _mean(x, mean):
    """Write the mean of each column, summed as float64 differences from the first row."""
    rows, columns = x.shape
    first = x[0]
    for j in range(columns):
        mean[j] = 0.0
    for i in range(1, rows):
        row = x[i]
        for j in range(columns):
            mean[j] += np.float64(row[j]) - np.float64(first[j])
    for j in range(columns):
        mean[j] = np.float64(first[j]) + mean[j] / rows


@kernel
def _variance(x, mean, var):
    """Write the biased variance of each column around the given mean."""
    rows, columns = x.shape
    for j in range(columns):
        var[j] = 0.0
    for i in range(rows):
        row = x[i]
        for j in range(columns):
            difference = np.float64(row[j]) - mean[j]
            var[j] += difference * difference
    for j in range(columns):
        if var[j] < _UNDERFLOW and not _is_constant(x, j):
            var[j] = math.nan  # squares underflowed: better visible than wrong
        var[j] /= rows


@kernel
def _is_constant(x, j):
    for i in range(1, x.shape[0]):
        if x[i, j] != x[0, j]:
            return False
    return True


@kernel
def batch_statistics(x, mean, var):
    """Compute mean and biased variance of each column, exactly at any mean.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C)
        C-contiguous, N at least 1. Nothing is checked.
    mean, var : ndarray of float64, shape (C,)
        Outputs. ``var`` is NaN where squares leave the range of float64.
    """
    _mean(x, mean)
    _variance(x, mean, var)


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
        running_mean[j] += momentum * (mean[j] - running_mean[j])
        running_var[j] += momentum * (var[j] * correction - running_var[j])
