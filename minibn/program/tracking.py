"""The running statistics of a batch norm, as a step of a program."""

import math

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.batch_norm_weighted import total_weight
from minibn.kernels.cpu.statistics import move_running_stats


@kernel_part
def _all_finite(values):
    for value in values:
        if not math.isfinite(value):
            return False
    return True


@kernel_part
def _move(running_mean, running_var, mean, var, momentum, n, counter):
    if _all_finite(mean) and _all_finite(var):
        counter[0] += 1
        share = momentum if momentum >= 0 else 1.0 / counter[0]
        move_running_stats(running_mean, running_var, mean, var, n, share)
    else:
        counter[1] += 1


@kernel
def track(running_mean, running_var, mean, var, momentum, unbiased, rows, counter):
    """Move running statistics towards those of a batch, unless one of the batch is not finite.

    Parameters
    ----------
    running_mean, running_var : ndarray of float64, shape (C,)
        Changed in place.
    mean, var : ndarray of float64, shape (C,)
        Batch mean and biased batch variance.
    momentum : float
        Weight of the new value; negative for the average over all batches.
    unbiased : bool
        Whether the unbiased variance enters.
    rows : int
    counter : ndarray of int64, shape (2,)
        Batches that entered, and batches that were skipped; changed in place.
    """
    _move(running_mean, running_var, mean, var, momentum, rows if unbiased else 0, counter)


@kernel
def track_weighted(running_mean, running_var, mean, var, momentum, unbiased, weight, counter):
    """Do the same with weighted statistics: ``weight`` of float64, shape (N,), in place of ``rows``.

    The sum of the weights takes the place of the number of rows; where it is below 2, the biased variance enters.
    """
    n = total_weight(weight)
    _move(running_mean, running_var, mean, var, momentum, n if unbiased and n >= 2 else 0.0, counter)
