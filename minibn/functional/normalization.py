"""Batch norm and its running statistics, checked."""

import math

import numpy as np

from minibn import kernels
from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.functional.on_cuda import also_on_cuda
from minibn.kernels.cpu import threaded
from minibn.kernels.cpu.batch_norm_relu import batch_norm_affine
from minibn.kernels.cpu.statistics import batch_statistics
from minibn.kernels.threads import threads_for

_FLOAT64 = np.dtype(np.float64)


def scale_and_shift(channels, dtype, gamma, beta):
    """Return gamma and beta, checked."""
    gamma = checks.floats("gamma", gamma, (channels,), dtype)
    return gamma, checks.floats("beta", beta, (channels,), dtype)


def statistics_of(mean, var, channels):
    """Return mean and variance, checked."""
    mean = checks.floats("mean", mean, (channels,), _FLOAT64, "statistics")
    return mean, checks.variance("var", var, channels)


def by_channel(x, channel_axis):
    """Return x, checked, and the shape (N, C) or (N, C, L) in which a kernel sees it: no axis needs a copy."""
    x = checks.floats("x", x, None if getattr(x, "ndim", 0) >= 2 else ("N", "C"))
    axis = checks.axis("channel_axis", channel_axis, x.ndim)
    rows, length = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return x, (rows, x.shape[axis]) if length == 1 else (rows, x.shape[axis], length)


def _normalize(relu, x, gamma, beta, eps, channel_axis):
    x, shape = by_channel(x, channel_axis)
    gamma, beta = scale_and_shift(shape[1], x.dtype, gamma, beta)
    y, mean, var = np.empty_like(x), np.empty(shape[1]), np.empty(shape[1])
    x, target, eps = x.reshape(shape), y.reshape(shape), checks.eps(eps)
    if (n := threads_for(x)) > 1:
        partial = threaded.partial_sums(x)
        threaded.normalize_threaded(x, gamma, beta, eps, target, mean, var, relu, partial, n)
    else:
        # In two steps, as the program does: the second is what evaluation runs too, and is compiled once for both.
        batch_statistics(x, mean, var)
        batch_norm_affine(x, gamma, beta, mean, var, eps, bool(relu), target)
    return y, mean, var


@also_on_cuda
def batch_norm_forward(x, gamma, beta, eps=1e-5, channel_axis=1):
    """Normalise each channel by its own batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C, ...)
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root; finite and not negative.
    channel_axis : int
        The axis of x that counts channels: 1 for (N, C, H, W), -1 for (N, H, W, C). None needs a copy.

    Returns
    -------
    y : ndarray of the dtype and shape of x
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Notes
    -----
    Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1; over several axes section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import batch_norm_forward
    >>> x = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
    >>> y, mean, var = batch_norm_forward(x, gamma=np.ones(2), beta=np.zeros(2))
    >>> y.round(3)
    array([[-1.225, -0.926],
           [ 0.   , -0.463],
           [ 1.225,  1.389]])
    >>> mean, var.round(3)
    (array([ 2., 30.]), array([  0.667, 466.667]))
    """
    return _normalize(None, x, gamma, beta, eps, channel_axis)


@also_on_cuda
def batch_norm_relu_forward(x, gamma, beta, eps=1e-5, channel_axis=1):
    """Batch norm followed by ReLU, in the same passes; arguments and results as :func:`batch_norm_forward`."""
    return _normalize(True, x, gamma, beta, eps, channel_axis)


@also_on_cuda
def batch_norm_inference(x, gamma, beta, mean, var, eps=1e-5, channel_axis=1):
    """Normalise with given statistics.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C, ...)
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        Running statistics; var not negative.
    eps : float
    channel_axis : int
        The axis of x that counts channels.

    Returns
    -------
    ndarray of the dtype and shape of x

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import batch_norm_inference
    >>> x = np.array([[1.0], [3.0]])
    >>> batch_norm_inference(x, np.ones(1), np.zeros(1), mean=np.array([2.0]), var=np.array([4.0]), eps=0.0)
    array([[-0.5],
           [ 0.5]])
    """
    x, shape = by_channel(x, channel_axis)
    gamma, beta = scale_and_shift(shape[1], x.dtype, gamma, beta)
    mean, var = statistics_of(mean, var, shape[1])
    y = np.empty_like(x)
    batch_norm_affine(x.reshape(shape), gamma, beta, mean, var, checks.eps(eps), False, y.reshape(shape))
    return y


@also_on_cuda
def batch_norm_backward(dy, x, gamma, mean, var, eps=1e-5, channel_axis=1):
    """Differentiate :func:`batch_norm_forward`, through the batch statistics.

    Parameters
    ----------
    dy, x : ndarray of float32 or float64, shape (N, C, ...)
        Gradient of the loss by y, and the input of the forward pass.
    gamma : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass returned.
    eps : float
    channel_axis : int
        The axis of x that counts channels.

    Returns
    -------
    dx : ndarray of the dtype and shape of x
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import batch_norm_backward, batch_norm_forward
    >>> x, gamma, beta = np.array([[1.0], [2.0], [6.0]]), np.ones(1), np.zeros(1)
    >>> y, mean, var = batch_norm_forward(x, gamma, beta)
    >>> dx, dgamma, dbeta = batch_norm_backward(np.array([[1.0], [0.0], [0.0]]), x, gamma, mean, var)
    >>> dx.round(4).ravel()
    array([ 0.1763, -0.2204,  0.0441])
    >>> bool(abs(dx.sum()) < 1e-12)  # a shift of x changes nothing
    True
    """
    x, shape = by_channel(x, channel_axis)
    gamma = checks.floats("gamma", gamma, (shape[1],), x.dtype)
    return _differentiate(kernels.batch_norm_backward, dy, x, shape, (gamma,), mean, var, eps)


def _differentiate(kernel, dy, x, shape, affine, mean, var, eps):
    dy = checks.floats("dy", dy, x.shape, x.dtype)
    mean, var = statistics_of(mean, var, shape[1])
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(affine[0]), np.empty_like(affine[0])
    dy, source, target = (array.reshape(shape) for array in (dy, x, dx))
    arguments = mean, var, checks.eps(eps), target, dgamma, dbeta
    if (n := threads_for(x)) > 1 and x.size > 2 * shape[1]:
        relu, partial = True if len(affine) == 2 else None, threaded.partial_sums(source)
        threaded.differentiate_threaded(dy, source, affine[0], affine[-1], *arguments, relu, partial, n)
    else:
        kernel(dy, source, *affine, *arguments)
    return dx, dgamma, dbeta


@also_on_cuda
def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps=1e-5, channel_axis=1):
    """Differentiate :func:`batch_norm_relu_forward`; as :func:`batch_norm_backward`, and beta for the mask."""
    x, shape = by_channel(x, channel_axis)
    affine = scale_and_shift(shape[1], x.dtype, gamma, beta)
    return _differentiate(kernels.batch_norm_relu_backward, dy, x, shape, affine, mean, var, eps)


@also_on_cuda
def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum=0.1):
    """Move running statistics towards those of one batch.

    Parameters
    ----------
    running_mean, running_var : ndarray of float64, shape (C,)
        Changed in place.
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.
    n : int or float
        Rows of the batch, or the sum of their weights, at least 2, for the unbiased variance; 0 keeps the biased one.
    momentum : float
        Weight of the new value, in [0, 1].

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.functional import update_running_stats_inplace
    >>> running_mean, running_var = np.zeros(1), np.ones(1)
    >>> update_running_stats_inplace(running_mean, running_var, np.array([2.0]), np.array([3.0]), n=4)
    >>> running_mean.round(3), running_var.round(3)
    (array([0.2]), array([1.3]))
    """
    running_mean = checks.in_place("running_mean", running_mean, ("C",), _FLOAT64, "statistics")
    columns = running_mean.size
    running_var = checks.in_place("running_var", running_var, (columns,), _FLOAT64, "statistics")
    mean, var = statistics_of(mean, var, columns)
    n = checks.number("n", n, 0.0) if isinstance(n, float) else checks.whole("n", n, 0)
    if 0 < n < 2:
        raise ArgumentError(
            f"n must be 0 or at least 2, got {n}: the unbiased variance of one row is undefined; pass 0"
        )
    kernels.update_running_stats_inplace(running_mean, running_var, mean, var, n, checks.momentum(momentum))
