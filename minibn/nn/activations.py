"""Activation layers."""

from minibn.autograd import relu, sigmoid, tanh
from minibn.nn.layer import Layer


class ReLU(Layer):
    """max(0, x)."""

    def __call__(self, x, training=None):
        """Return max(0, x), of the shape of x."""
        return relu(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def __call__(self, x, training=None):
        """Return 1 / (1 + exp(-x)), of the shape of x."""
        return sigmoid(x)


class Tanh(Layer):
    """Hyperbolic tangent."""

    def __call__(self, x, training=None):
        """Return tanh(x), of the shape of x."""
        return tanh(x)


ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}
