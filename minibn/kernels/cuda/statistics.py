"""Statistics on the device: a mean is two float32 numbers, which the CPU keeps as one float64."""

import functools

import numpy as np

from minibn.kernels.cuda import positions
from minibn.kernels.cuda.arrays import aligned, device_array, flat, to_device, to_host
from minibn.kernels.cuda.moments import make_moments
from minibn.kernels.cuda.positions import positions_of
from minibn.kernels.cuda.reduction import ONE
from minibn.kernels.cuda.target import cuda, kernel, ready
from minibn.kernels.cuda.workspace import room_for


def mean_to_device(mean, stream=0):
    """Copy means of the CPU to the device, as two float32 numbers each.

    Parameters
    ----------
    mean : ndarray of float64, shape (C,)
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Returns
    -------
    device array of float32, shape (2, C)
        The mean rounded to float32, and what that left out.
    """
    mean = np.asarray(mean, np.float64)
    high = mean.astype(np.float32)
    with np.errstate(invalid="ignore"):
        low = np.where(np.isfinite(high), mean - high, 0)
    return to_device(np.stack([high, low.astype(np.float32)]), stream)


def mean_to_host(mean, stream=0):
    """Copy means of the device, shape (2, C), to the CPU: ndarray of float64, shape (C,)."""
    return to_host(mean, stream).astype(np.float64).sum(axis=0)


def var_to_device(var, stream=0):
    """Copy variances of the CPU, ndarray of float64, to the device, where they are float32."""
    return to_device(np.asarray(var, np.float64).astype(np.float32), stream)


def var_to_host(var, stream=0):
    """Copy variances of the device to the CPU: ndarray of float64."""
    return to_host(var, stream).astype(np.float64)


def batch_statistics(x, mean, var, *, stream=0, workspace=None):
    """Compute mean and biased variance of each channel, exactly at any mean.

    Parameters
    ----------
    x : device array of float32, shape (N, C) or (N, C, L)
        C-contiguous, N at least 1.
    mean : device array of float32, shape (2, C)
        Output: the mean as a float32 number and what its rounding left out.
    var : device array of float32, shape (C,)
        Output. Variances below 1e-38, whose squares float32 does not hold, come out too small.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    x, mean, var = device_array("x", x), flat("mean", mean), flat("var", var)
    where = positions_of(x.shape, aligned(x))
    run = where.ready(make_moments, stream)
    run(flat("x", x), *where.sizes, *room_for(where, stream, workspace), mean, var)


@functools.cache
def make_move(threads):
    """Return the kernel behind :func:`update_running_stats_inplace`."""

    @kernel(threads)
    def move(running_mean, running_var, mean, var, channels, correction, momentum):
        c = cuda.blockIdx.x * threads + cuda.threadIdx.x
        if c < channels:
            keep = ONE - momentum
            old = running_mean[c]
            rest = keep * running_mean[channels + c] + momentum * mean[channels + c]
            change = momentum * (mean[c] - old) + rest
            if momentum == ONE:
                old, change = mean[c], rest
            total = old + change
            moved = total - old
            running_mean[c] = total
            running_mean[channels + c] = (old - (total - moved)) + (change - moved)
            running_var[c] = keep * running_var[c] + momentum * (var[c] * correction)

    return move


def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum, *, stream=0):
    """Move running statistics towards those of one batch: running = (1 - momentum) running + momentum new.

    Parameters
    ----------
    running_mean : device array of float32, shape (2, C)
        Changed in place. As two numbers each; see :func:`mean_to_device`.
    running_var : device array of float32, shape (C,)
        Changed in place.
    mean : device array of float32, shape (2, C)
    var : device array of float32, shape (C,)
        Batch mean and *biased* batch variance.
    n : int
        Rows of the batch: the variance enters times n / (n - 1), unbiased. 0 keeps it biased.
    momentum : float
        Weight of the new value, in [0, 1].
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 10, with a moving average for the expectation.
    """
    running_mean, running_var = flat("running_mean", running_mean), flat("running_var", running_var)
    mean, var = flat("mean", mean), flat("var", var)
    channels, threads = running_var.size, positions.THREADS
    correction = n / (n - 1) if n > 0 else 1.0
    ready(make_move(threads), -(-channels // threads), threads, stream)(
        running_mean, running_var, mean, var, np.int32(channels), np.float32(correction), np.float32(momentum)
    )
