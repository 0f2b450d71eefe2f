"""Layer norm, which needs no batch: for comparison, on the tape only."""

import numpy as np

from minibn import functional as F
from minibn.autograd import Op, Tensor, apply
from minibn.functional import checks
from minibn.nn import BatchNorm, Layer, Sequential


class LayerNorm(Layer):
    """Normalise each row by its own mean and variance, then scale and shift each column.

    Parameters
    ----------
    features : int
    eps : float
        Added to the variance inside the root.
    dtype : dtype
        float32 or float64.

    Attributes
    ----------
    gamma, beta : Tensor, shape (features,)

    Notes
    -----
    Ba, Kiros and Hinton 2016, arXiv:1607.06450, section 3. For dense layers it is group norm with one group (Wu and
    He 2018, arXiv:1803.08494).
    """

    def __init__(self, features, eps=1e-5, *, dtype=np.float32):
        features, self.eps = checks.whole("features", features, 1), checks.eps(eps)
        self.gamma = Tensor(np.ones(features, checks.dtype(dtype)), requires_grad=True)
        self.beta = Tensor(np.zeros(features, dtype), requires_grad=True)

    def __call__(self, x, training=None):
        """Return the normalised rows, shape (N, features), the same in training and evaluation."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        return apply(_LAYER_NORM, x, self.gamma, self.beta, eps=self.eps)

    def parameters(self):
        """Return gamma as ``weight`` and beta as ``bias``."""
        return {"weight": self.gamma, "bias": self.beta}

    def config(self):
        """Return the arguments."""
        return {"features": self.gamma.data.size, "eps": self.eps}


def with_layer_norm(model):
    """Return the network with a :class:`LayerNorm` in place of every batch norm; other layers are shared."""
    return Sequential(*(_layer_norm(layer) for layer in model.layers))


def _layer_norm(layer):
    if not isinstance(layer, BatchNorm):
        return layer
    return LayerNorm(layer.gamma.data.size, layer.eps, dtype=layer.gamma.dtype)


def _forward(x, gamma, beta, eps):
    """Rows are the columns of the transpose, and those the batch-norm kernel normalises."""
    turned, ones = np.ascontiguousarray(x.T), np.ones(len(x), x.dtype)
    normalized, mean, var = F.batch_norm_forward(turned, ones, np.zeros_like(ones), eps)
    normalized = normalized.T
    return np.ascontiguousarray(normalized * gamma + beta), (turned, normalized, gamma, ones, mean, var, eps)


def _backward(dy, saved, needs):
    turned, normalized, gamma, ones, mean, var, eps = saved
    dx, _, _ = F.batch_norm_backward(np.ascontiguousarray((dy * gamma).T), turned, ones, mean, var, eps)
    return np.ascontiguousarray(dx.T), (dy * normalized).sum(axis=0), dy.sum(axis=0)


# Not in the table of operations: a tape needs no entry there, and only a program asks for one.
_LAYER_NORM = Op("layer_norm", _forward, _backward)
