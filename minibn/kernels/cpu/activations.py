"""Elementwise activations over arrays of any shape. Each backward pass takes the output y of its forward pass."""

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.maths import decay, tanh
from minibn.kernels.cpu.views import flat


@kernel
def relu_forward(x, y):
    """Write max(0, x); NaN stays NaN.

    Parameters
    ----------
    x : ndarray of float32 or float64, any shape
        C-contiguous. Nothing is checked.
    y : ndarray of the dtype and shape of x
        Output.
    """
    source, target = flat(x), flat(y)
    for i in range(source.size):
        value = source[i]
        target[i] = value if not value <= 0 else 0.0


@kernel
def relu_backward(dy, y, dx):
    """Write dx = dy where y > 0, else 0.

    Parameters
    ----------
    dy, y : ndarray of float32 or float64, any shape
        Gradient of the loss by y, and the output of the forward pass. C-contiguous. Nothing is checked.
    dx : ndarray of the dtype and shape of y
        Output.
    """
    upstream, output, target = flat(dy), flat(y), flat(dx)
    for i in range(output.size):
        target[i] = upstream[i] if not output[i] <= 0 else 0.0


@kernel
def sigmoid_forward(x, y):
    """Write 1 / (1 + exp(-x)), without overflow at either end.

    Parameters
    ----------
    x : ndarray of float32 or float64, any shape
        C-contiguous. Nothing is checked.
    y : ndarray of the dtype and shape of x
        Output.
    """
    source, target = flat(x), flat(y)
    one = x.dtype.type(1)
    for i in range(source.size):
        e = decay(-abs(source[i]))
        target[i] = (one if source[i] >= 0 else e) / (one + e)


@kernel
def sigmoid_backward(dy, y, dx):
    """Write dx = dy * y * (1 - y).

    Parameters
    ----------
    dy, y : ndarray of float32 or float64, any shape
        Gradient of the loss by y, and the output of the forward pass. C-contiguous. Nothing is checked.
    dx : ndarray of the dtype and shape of y
        Output.
    """
    upstream, output, target = flat(dy), flat(y), flat(dx)
    for i in range(output.size):
        target[i] = upstream[i] * (output[i] * (1 - output[i]))


@kernel
def tanh_forward(x, y):
    """Write the hyperbolic tangent of x.

    Parameters
    ----------
    x : ndarray of float32 or float64, any shape
        C-contiguous. Nothing is checked.
    y : ndarray of the dtype and shape of x
        Output.
    """
    source, target = flat(x), flat(y)
    for i in range(source.size):
        target[i] = tanh(source[i])


@kernel
def tanh_backward(dy, y, dx):
    """Write dx = dy * (1 - y ** 2).

    Parameters
    ----------
    dy, y : ndarray of float32 or float64, any shape
        Gradient of the loss by y, and the output of the forward pass. C-contiguous. Nothing is checked.
    dx : ndarray of the dtype and shape of y
        Output.
    """
    upstream, output, target = flat(dy), flat(y), flat(dx)
    for i in range(output.size):
        target[i] = upstream[i] * ((1 - output[i]) * (1 + output[i]))
