"""Batch norm and its running statistics, checked."""

import numpy as np

from minibn import kernels
from minibn.errors import ArgumentError
from minibn.functional import checks

_FLOAT64 = np.dtype(np.float64)


def _scale_and_shift(x, gamma, beta):
    columns = x.shape[1]
    return checks.floats("gamma", gamma, (columns,), x.dtype), checks.floats(
        "beta", beta, (columns,), x.dtype
    )


def _statistics(mean, var, columns):
    return checks.floats("mean", mean, (columns,), _FLOAT64, "statistics"), checks.variance(
        "var", var, columns
    )


def _normalize(kernel, x, gamma, beta, eps):
    x = checks.floats("x", x, ("N", "C"))
    gamma, beta = _scale_and_shift(x, gamma, beta)
    y, mean, var = np.empty_like(x), np.empty(x.shape[1]), np.empty(x.shape[1])
    kernel(x, gamma, beta, checks.eps(eps), y, mean, var)
    return y, mean, var


def batch_norm_forward(x, gamma, beta, eps=1e-5):
    """Normalise each column by its own batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C)
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root; finite and not negative.

    Returns
    -------
    y : ndarray of the dtype of x, shape (N, C)
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.

    Raises
    ------
    DtypeError, ShapeError, ArgumentError

    Notes
    -----
    Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1.
    """
    return _normalize(kernels.batch_norm_forward, x, gamma, beta, eps)


def batch_norm_relu_forward(x, gamma, beta, eps=1e-5):
    """Batch norm followed by ReLU, in the same passes; arguments and results as :func:`batch_norm_forward`."""
    return _normalize(kernels.batch_norm_relu_forward, x, gamma, beta, eps)


def batch_norm_inference(x, gamma, beta, mean, var, eps=1e-5):
    """Normalise with given statistics.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C)
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        Running statistics; var not negative.
    eps : float

    Returns
    -------
    ndarray of the dtype of x, shape (N, C)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    x = checks.floats("x", x, ("N", "C"))
    gamma, beta = _scale_and_shift(x, gamma, beta)
    mean, var = _statistics(mean, var, x.shape[1])
    y = np.empty_like(x)
    kernels.batch_norm_inference(x, gamma, beta, mean, var, checks.eps(eps), y)
    return y


def batch_norm_backward(dy, x, gamma, mean, var, eps=1e-5):
    """Differentiate :func:`batch_norm_forward`, through the batch statistics.

    Parameters
    ----------
    dy, x : ndarray of float32 or float64, shape (N, C)
        Gradient of the loss by y, and the input of the forward pass.
    gamma : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass returned.
    eps : float

    Returns
    -------
    dx : ndarray of the dtype of x, shape (N, C)
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    x = checks.floats("x", x, ("N", "C"))
    dy = checks.floats("dy", dy, x.shape, x.dtype)
    gamma = checks.floats("gamma", gamma, (x.shape[1],), x.dtype)
    mean, var = _statistics(mean, var, x.shape[1])
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(gamma)
    kernels.batch_norm_backward(dy, x, gamma, mean, var, checks.eps(eps), dx, dgamma, dbeta)
    return dx, dgamma, dbeta


def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps=1e-5):
    """Differentiate :func:`batch_norm_relu_forward`; as :func:`batch_norm_backward`, and beta for the mask."""
    x = checks.floats("x", x, ("N", "C"))
    dy = checks.floats("dy", dy, x.shape, x.dtype)
    gamma, beta = _scale_and_shift(x, gamma, beta)
    mean, var = _statistics(mean, var, x.shape[1])
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(gamma)
    kernels.batch_norm_relu_backward(dy, x, gamma, beta, mean, var, checks.eps(eps), dx, dgamma, dbeta)
    return dx, dgamma, dbeta


def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum=0.1):
    """Move running statistics towards those of one batch.

    Parameters
    ----------
    running_mean, running_var : ndarray of float64, shape (C,)
        Changed in place.
    mean, var : ndarray of float64, shape (C,)
        Batch mean and *biased* batch variance.
    n : int
        Rows of the batch, at least 2, for the unbiased variance; 0 keeps the biased one.
    momentum : float
        Weight of the new value, in [0, 1].

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    running_mean = checks.in_place("running_mean", running_mean, ("C",), _FLOAT64, "statistics")
    columns = running_mean.size
    running_var = checks.in_place("running_var", running_var, (columns,), _FLOAT64, "statistics")
    mean, var = _statistics(mean, var, columns)
    if checks.whole("n", n, 0) == 1:
        raise ArgumentError(
            "n must be 0 or at least 2, got 1: the unbiased variance of one row is undefined; pass 0"
        )
    kernels.update_running_stats_inplace(running_mean, running_var, mean, var, n, checks.momentum(momentum))
