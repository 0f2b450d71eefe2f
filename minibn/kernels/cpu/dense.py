"""The dense layer y = x W + b, with W of shape (in, out).

Small products are compiled loops, because a call into BLAS costs more than they do; large ones reach BLAS.
"""

import numpy as np

from minibn.kernels.compile import kernel

_BLAS_FROM = 512  # multiply-adds from which np.dot was measured to be faster than these loops


@kernel
def _product(a, b, out):
    """Write a @ b, row by row."""
    for i in range(a.shape[0]):
        out_row, a_row = out[i], a[i]
        for j in range(out_row.size):
            out_row[j] = 0
        for k in range(a_row.size):
            factor, b_row = a_row[k], b[k]
            for j in range(out_row.size):
                out_row[j] += factor * b_row[j]


@kernel
def _product_left_transposed(a, b, out):
    """Write a.T @ b as a sum of outer products."""
    for k in range(out.shape[0]):
        out_row = out[k]
        for j in range(out_row.size):
            out_row[j] = 0
    for i in range(a.shape[0]):
        a_row, b_row = a[i], b[i]
        for k in range(a_row.size):
            factor, out_row = a_row[k], out[k]
            for j in range(out_row.size):
                out_row[j] += factor * b_row[j]


@kernel
def _product_right_transposed(a, b, out):
    """Write a @ b.T as dot products of rows."""
    for i in range(a.shape[0]):
        out_row, a_row = out[i], a[i]
        for k in range(b.shape[0]):
            b_row = b[k]
            total = a_row[0] * b_row[0]
            for j in range(1, a_row.size):
                total += a_row[j] * b_row[j]
            out_row[k] = total


@kernel
def dense_forward(x, weight, bias, y):
    """Write y = x @ weight + bias.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
        C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    bias : ndarray of the dtype of x, shape (O,), or None
    y : ndarray of the dtype of x, shape (N, O)
        Output.
    """
    if x.size * y.shape[1] < _BLAS_FROM:
        _product(x, weight, y)
    else:
        np.dot(x, weight, y)
    if bias is not None:
        for i in range(y.shape[0]):
            y_row = y[i]
            for j in range(y_row.size):
                y_row[j] += bias[j]


@kernel
def dense_backward(dy, x, weight, dx, dweight, dbias):
    """Differentiate :func:`dense_forward`: dx = dy @ weight.T, dweight = x.T @ dy, dbias = sum of dy.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, O)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, I)
        The input of the forward pass. C-contiguous. Nothing is checked.
    weight : ndarray of the dtype of x, shape (I, O)
    dx : ndarray of the dtype of x, shape (N, I), or None
        Output; None where the gradient of the input is not needed.
    dweight : ndarray of the dtype of x, shape (I, O)
        Output.
    dbias : ndarray of the dtype of x, shape (O,), or None
        Output.
    """
    small = x.size * dy.shape[1] < _BLAS_FROM
    if small:
        _product_left_transposed(x, dy, dweight)
    else:
        np.dot(x.T, dy, dweight)
    if dx is not None:
        if small:
            _product_right_transposed(dy, weight, dx)
        else:
            np.dot(dy, weight.T, dx)
    if dbias is not None:
        for j in range(dbias.size):
            dbias[j] = 0
        for i in range(dy.shape[0]):
            dy_row = dy[i]
            for j in range(dbias.size):
                dbias[j] += dy_row[j]
