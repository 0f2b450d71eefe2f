"""Batch normalization with the ReLU behind it, in the same passes over the data, on CUDA."""

from minibn.kernels.cuda.batch_norm import differentiate, normalize
from minibn.kernels.cuda.statistics import batch_statistics


def batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var, *, stream=0, workspace=None):
    """Write max(0, batch norm of x); NaN stays NaN.

    Parameters
    ----------
    x : device array of float32, shape (N, C) or (N, C, L)
        C-contiguous, N at least 1.
    gamma, beta : device array of float32, shape (C,)
    eps : float
        Added to the variance inside the root.
    y : device array of float32, shape (N, C) or (N, C, L)
        Output.
    mean : device array of float32, shape (2, C)
        Output: the mean as a float32 number and what its rounding left out.
    var : device array of float32, shape (C,)
        Output: *biased* batch variance.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1, followed by max(0, .).
    """
    batch_statistics(x, mean, var, stream=stream, workspace=workspace)
    normalize(True, x, gamma, beta, mean, var, eps, y, stream)


def batch_norm_affine(x, gamma, beta, mean, var, eps, relu, y, *, stream=0):
    """Write batch norm by given statistics, or its ReLU; arguments as for :func:`batch_norm_relu_forward`.

    Parameters
    ----------
    relu : bool
    """
    normalize(bool(relu), x, gamma, beta, mean, var, eps, y, stream)


def batch_norm_relu_backward(
    dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, *, stream=0, workspace=None
):
    """Differentiate :func:`batch_norm_relu_forward`; the mask is recomputed from x.

    Parameters
    ----------
    dy : device array of float32, shape (N, C) or (N, C, L)
        Gradient of the loss by y.
    x : device array of float32, shape (N, C) or (N, C, L)
        The input of the forward pass. C-contiguous.
    gamma, beta : device array of float32, shape (C,)
    mean : device array of float32, shape (2, C)
    var : device array of float32, shape (C,)
        What the forward pass wrote.
    eps : float
        The same as in the forward pass.
    dx : device array of float32, shape (N, C) or (N, C, L)
        Output.
    dgamma, dbeta : device array of float32, shape (C,)
        Outputs.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.
    workspace : Workspace, optional
        Memory for partial results; that of the stream if left out.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Ioffe and Szegedy 2015, section 3, with dy masked by y > 0.
    """
    differentiate(True, dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, stream, workspace)
