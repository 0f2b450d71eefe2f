"""The dense layer and the activations, checked."""

import numpy as np

from minibn import kernels
from minibn.functional import checks
from minibn.functional.on_cuda import also_on_cuda
from minibn.kernels.cpu.dense_blas import BLAS_FROM, dense_backward_blas, dense_forward_blas, load_blas


def _large(x, weight):
    large = x.shape[0] * weight.size >= BLAS_FROM
    if large:
        load_blas()
    return large


@also_on_cuda
def dense_forward(x, weight, bias=None):
    """Compute x @ weight + bias.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
    weight : ndarray of the dtype of x, shape (I, O)
    bias : ndarray of the dtype of x, shape (O,), optional

    Returns
    -------
    ndarray of the dtype of x, shape (N, O)

    Raises
    ------
    DtypeError, ShapeError
    """
    x = checks.floats("x", x, ("N", "I"))
    weight = checks.floats("weight", weight, (x.shape[1], "O"), x.dtype)
    if bias is not None:
        bias = checks.floats("bias", bias, (weight.shape[1],), x.dtype)
    y = np.empty((x.shape[0], weight.shape[1]), x.dtype)
    play = dense_forward_blas if _large(x, weight) else kernels.dense_forward
    play(x, weight, np.empty(0, x.dtype) if bias is None else bias, y)
    return y


@also_on_cuda
def dense_backward(dy, x, weight, *, needs_dx=True, needs_dbias=True):
    """Differentiate :func:`dense_forward`.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, O)
    x : ndarray of float32 or float64, shape (N, I)
    weight : ndarray of the dtype of x, shape (I, O)
    needs_dx, needs_dbias : bool
        False skips that gradient and returns None for it.

    Returns
    -------
    dx : ndarray of the dtype of x, shape (N, I), or None
    dweight : ndarray of the dtype of x, shape (I, O)
    dbias : ndarray of the dtype of x, shape (O,), or None

    Raises
    ------
    DtypeError, ShapeError
    """
    x = checks.floats("x", x, ("N", "I"))
    weight = checks.floats("weight", weight, (x.shape[1], "O"), x.dtype)
    dy = checks.floats("dy", dy, (x.shape[0], weight.shape[1]), x.dtype)
    # Empty arrays stand for what is not needed, so that one compiled version serves all cases.
    dx = np.empty_like(x if needs_dx else x[:0])
    dweight, dbias = np.empty_like(weight), np.empty(weight.shape[1] if needs_dbias else 0, x.dtype)
    play = dense_backward_blas if _large(x, weight) else kernels.dense_backward
    play(dy, x, weight, dx, dweight, dbias)
    return dx if needs_dx else None, dweight, dbias if needs_dbias else None


def _activate(kernel, x):
    x = checks.floats("x", x, None)
    y = np.empty_like(x)
    kernel(x.reshape(-1), y.reshape(-1))
    return y


def _deactivate(kernel, dy, y):
    y = checks.floats("y", y, None)
    dy = checks.floats("dy", dy, y.shape, y.dtype, "y")
    dx = np.empty_like(y)
    kernel(dy.reshape(-1), y.reshape(-1), dx.reshape(-1))
    return dx


@also_on_cuda
def relu_forward(x):
    """Return max(0, x) for an array of float32 or float64 of any shape; NaN stays NaN."""
    return _activate(kernels.relu_forward, x)


@also_on_cuda
def relu_backward(dy, y):
    """Return dy where y > 0, else 0; y is the output of :func:`relu_forward`."""
    return _deactivate(kernels.relu_backward, dy, y)


@also_on_cuda
def sigmoid_forward(x):
    """Return 1 / (1 + exp(-x)) for an array of float32 or float64 of any shape."""
    return _activate(kernels.sigmoid_forward, x)


@also_on_cuda
def sigmoid_backward(dy, y):
    """Return dy * y * (1 - y); y is the output of :func:`sigmoid_forward`."""
    return _deactivate(kernels.sigmoid_backward, dy, y)


@also_on_cuda
def tanh_forward(x):
    """Return tanh(x) for an array of float32 or float64 of any shape."""
    return _activate(kernels.tanh_forward, x)


@also_on_cuda
def tanh_backward(dy, y):
    """Return dy * (1 - y ** 2); y is the output of :func:`tanh_forward`."""
    return _deactivate(kernels.tanh_backward, dy, y)
