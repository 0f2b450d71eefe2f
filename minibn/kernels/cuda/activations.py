"""Elementwise activations on CUDA. Each backward pass takes the output y of its forward pass."""

import math

from minibn.kernels.cuda.elementwise import run_map
from minibn.kernels.cuda.reduction import ONE, ZERO
from minibn.kernels.cuda.target import device_function


def _relu():
    return device_function(lambda x: ZERO if x <= ZERO else x)


def _open():
    return device_function(lambda dy, y: ZERO if y <= ZERO else dy)


def _sigmoid():
    @device_function
    def sigmoid(x):
        e = math.exp(-abs(x))
        return (ONE if x >= ZERO else e) / (ONE + e)

    return sigmoid


def _sigmoid_slope():
    return device_function(lambda dy, y: dy * (y * (ONE - y)))


def _tanh():
    return device_function(lambda x: math.tanh(x))


def _tanh_slope():
    return device_function(lambda dy, y: dy * ((ONE - y) * (ONE + y)))


def relu_forward(x, y, *, stream=0):
    """Write max(0, x); NaN stays NaN.

    Parameters
    ----------
    x : device array of float32, any shape
        C-contiguous.
    y : device array of float32, the shape of x
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    run_map(_relu, stream, x=x, y=y)


def relu_backward(dy, y, dx, *, stream=0):
    """Write dx = dy where y > 0, else 0.

    Parameters
    ----------
    dy, y : device array of float32, any shape
        Gradient of the loss by y, and the output of the forward pass. C-contiguous.
    dx : device array of float32, the shape of y
        Output.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError
    """
    run_map(_open, stream, dy=dy, y=y, dx=dx)


def sigmoid_forward(x, y, *, stream=0):
    """Write 1 / (1 + exp(-x)), without overflow at either end; arguments as for :func:`relu_forward`."""
    run_map(_sigmoid, stream, x=x, y=y)


def sigmoid_backward(dy, y, dx, *, stream=0):
    """Write dx = dy * y * (1 - y); arguments as for :func:`relu_backward`."""
    run_map(_sigmoid_slope, stream, dy=dy, y=y, dx=dx)


def tanh_forward(x, y, *, stream=0):
    """Write the hyperbolic tangent of x; arguments as for :func:`relu_forward`."""
    run_map(_tanh, stream, x=x, y=y)


def tanh_backward(dy, y, dx, *, stream=0):
    """Write dx = dy * (1 - y ** 2); arguments as for :func:`relu_backward`."""
    run_map(_tanh_slope, stream, dy=dy, y=y, dx=dx)
