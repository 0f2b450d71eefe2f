"""Batch normalization with the ReLU behind it, in the same passes over the data."""

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.batch_norm import differentiate, normalize
from minibn.kernels.cpu.statistics import batch_statistics


@kernel
def batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var):
    """Write max(0, batch norm of x); NaN stays NaN.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous, N at least 1. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.
    mean, var : ndarray of float64, shape (C,)
        Outputs: batch mean and *biased* batch variance.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1, followed by max(0, .).
    """
    batch_statistics(x, mean, var)
    normalize(x, gamma, beta, mean, var, eps, y, True, 0, x.shape[0])


@kernel
def batch_norm_affine(x, gamma, beta, mean, var, eps, relu, y):
    """Write batch norm by given statistics, or its ReLU: one machine code for training and evaluation.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
    eps : float
        Added to the variance inside the root.
    relu : bool
    y : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.
    """
    normalize(x, gamma, beta, mean, var, eps, y, relu, 0, x.shape[0])


@kernel
def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta):
    """Differentiate :func:`batch_norm_relu_forward`; the mask is recomputed from x.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        The input of the forward pass. C-contiguous. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass wrote.
    eps : float
        The same as in the forward pass.
    dx : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)
        Outputs.

    Notes
    -----
    Ioffe and Szegedy 2015, section 3, with dy masked by y > 0.
    """
    differentiate(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, True)
