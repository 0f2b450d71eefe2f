"""The dense layer for large products: BLAS cuts them to fit the caches, and to threads where it was given more than one.

Slower to call than :mod:`minibn.kernels.cpu.dense`, and its sums depend on the number of its threads.
"""

import numpy as np

from minibn.kernels.compile import numpy_kernel
from minibn.kernels.cpu.views import optional

BLAS_FROM = 1 << 24
"""Multiply-adds of a product from which BLAS was measured to be the faster of the two."""


def load_blas():
    """Import where compiled products look BLAS up.

    They would import it themselves at their first call, where Ctrl-C aborts the process instead of interrupting it.
    """
    import scipy.linalg.cython_blas  # noqa: F401


@numpy_kernel
def dense_forward_blas(x, weight, bias, y):
    """Write y = x @ weight + bias; arguments as :func:`minibn.kernels.dense_forward`.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
        C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    bias : ndarray of the dtype of x, shape (O,), or None
        None or empty for no bias.
    y : ndarray of the dtype of x, shape (N, O)
        Output.
    """
    np.dot(x, weight, y)
    base = optional(bias, weight)
    for i in range(y.shape[0]):
        row = y[i]
        for j in range(base.size):
            row[j] += base[j]


@numpy_kernel
def dense_backward_blas(dy, x, weight, dx, dweight, dbias):
    """Differentiate :func:`dense_forward_blas`; arguments as :func:`minibn.kernels.dense_backward`.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, O)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, I)
        The input of the forward pass. C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    dx : ndarray of the dtype of x, shape (N, I), or None
        Output; None or empty where the gradient of the input is not needed.
    dweight : ndarray of the dtype of x, shape (I, O)
        Output.
    dbias : ndarray of the dtype of x, shape (O,), or None
        Output; None or empty where there is no bias.
    """
    np.dot(x.T, dy, dweight)
    if dx is not None and dx.size:
        np.dot(dy, weight.T, dx)
    sums = optional(dbias, weight)
    for j in range(sums.size):
        sums[j] = 0
    for i in range(dy.shape[0]):
        row = dy[i]
        for j in range(sums.size):
            sums[j] += row[j]
