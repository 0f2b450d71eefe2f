"""The running statistics of a batch norm, as a step of a program."""

import math

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.statistics import move_running_stats


@kernel_part
def _all_finite(values):
    for value in values:
        if not math.isfinite(value):
            return False
    return True


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
    if not (_all_finite(mean) and _all_finite(var)):
        counter[1] += 1
        return
    counter[0] += 1
    weight = momentum if momentum >= 0 else 1.0 / counter[0]
    n = rows if unbiased else 0
    move_running_stats(running_mean, running_var, mean, var, n, weight)
