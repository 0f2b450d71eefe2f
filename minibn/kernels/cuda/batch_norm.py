r"""Batch normalization over the rows of an (N, C) array, or over rows and places of an (N, C, L) array, on CUDA.

The conventions are those of :mod:`minibn.kernels.cpu.batch_norm`; arrays are float32 and lie on the device, means are
pairs of float32 numbers, and everything is queued on one stream, without waiting for it.
"""

import numpy as np

from minibn.kernels.cuda.arrays import aligned, device_array, flat
from minibn.kernels.cuda.gradients import make_differentiate, make_products
from minibn.kernels.cuda.normalize import make_normalize
from minibn.kernels.cuda.positions import positions_of
from minibn.kernels.cuda.statistics import batch_statistics
from minibn.kernels.cuda.workspace import room_for


def _flat(**arrays):
    return [flat(name, array) for name, array in arrays.items()]


def normalize(relu, x, gamma, beta, mean, var, eps, y, stream):
    """Write batch norm by given statistics, or its ReLU."""
    x, y = device_array("x", x), device_array("y", y)
    where = positions_of(x.shape, aligned(x, y))
    factors = _flat(gamma=gamma, beta=beta, mean=mean, var=var)
    run = where.ready(make_normalize, stream, relu)
    run(flat("x", x), *where.sizes, *factors, np.float32(eps), flat("y", y))


def differentiate(relu, dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, stream, workspace):
    """Write the gradients of :func:`normalize` where ``mean`` and ``var`` are those of x itself."""
    dy, x, dx = device_array("dy", dy), device_array("x", x), device_array("dx", dx)
    where = positions_of(x.shape, aligned(dy, x, dx))
    given = [flat("dy", dy), flat("x", x), *where.sizes]
    given += [*_flat(gamma=gamma, beta=beta, mean=mean, var=var), np.float32(eps)]
    sums = _flat(dgamma=dgamma, dbeta=dbeta)
    where.ready(make_products, stream, relu)(*given, *room_for(where, stream, workspace), *sums)
    where.ready(make_differentiate, stream, relu)(*given, *sums, flat("dx", dx))


def batch_norm_forward(x, gamma, beta, eps, y, mean, var, *, stream=0, workspace=None):
    """Normalise each channel by its own batch statistics, then scale and shift.

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
    Ioffe and Szegedy 2015, algorithm 1. A constant feature gives exactly beta.
    """
    batch_statistics(x, mean, var, stream=stream, workspace=workspace)
    normalize(False, x, gamma, beta, mean, var, eps, y, stream)


def batch_norm_inference(x, gamma, beta, mean, var, eps, y, *, stream=0):
    """Normalise with given statistics: y = gamma * (x - mean) / sqrt(var + eps) + beta.

    Parameters
    ----------
    x : device array of float32, shape (N, C) or (N, C, L)
        C-contiguous.
    gamma, beta : device array of float32, shape (C,)
    mean : device array of float32, shape (2, C)
    var : device array of float32, shape (C,)
        Running statistics.
    eps : float
        Added to the variance inside the root.
    y : device array of float32, shape (N, C) or (N, C, L)
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 11.
    """
    normalize(False, x, gamma, beta, mean, var, eps, y, stream)


def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta, *, stream=0, workspace=None):
    """Differentiate :func:`batch_norm_forward`, through the batch statistics.

    Parameters
    ----------
    dy : device array of float32, shape (N, C) or (N, C, L)
        Gradient of the loss by y.
    x : device array of float32, shape (N, C) or (N, C, L)
        The input of the forward pass. C-contiguous.
    gamma : device array of float32, shape (C,)
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
    Ioffe and Szegedy 2015, section 3; derived step by step in docs/gradients.md.
    """
    # Without a ReLU beta plays no part; gamma stands in for it.
    differentiate(False, dy, x, gamma, gamma, mean, var, eps, dx, dgamma, dbeta, stream, workspace)
