"""Batch norm and losses of rows that have weights; the weights are constants."""

import numpy as np

from minibn import functional as F
from minibn.autograd.layer_ops import as_tensor, loss_outline
from minibn.autograd.op import register
from minibn.autograd.tape import apply, record


def _batch_norm(x, gamma, beta, weight, eps):
    y, mean, var = F.batch_norm_weighted_forward(x, weight, gamma, beta, eps)
    return y, (x, weight, gamma, mean, var, eps)


def _batch_norm_outline(x, gamma, beta, weight, eps):
    return np.zeros_like(x), (x, weight, gamma, np.zeros(gamma.size), np.ones(gamma.size), eps)


def _cross_entropy(logits, labels, weight, class_weight):
    loss, probabilities = F.softmax_cross_entropy_weighted_forward(logits, labels, weight, class_weight)
    return np.float64(loss), (probabilities, labels, weight, class_weight)


def _cross_entropy_backward(dy, saved, needs):
    gradient = F.softmax_cross_entropy_weighted_backward(*saved)
    gradient *= gradient.dtype.type(dy)
    return (gradient,)


def _squared_error(prediction, target, weight):
    loss = F.squared_error_weighted_forward(prediction, target, weight)
    return np.float64(loss), (prediction, target, weight)


def _squared_error_backward(dy, saved, needs):
    gradient = F.squared_error_weighted_backward(*saved) * saved[0].dtype.type(dy)
    return gradient if needs[0] else None, -gradient if needs[1] else None


BATCH_NORM_WEIGHTED = register(
    "batch_norm_weighted",
    _batch_norm,
    lambda dy, saved, needs: F.batch_norm_weighted_backward(dy, *saved),
    _batch_norm_outline,
)
SOFTMAX_CROSS_ENTROPY_WEIGHTED = register(
    "softmax_cross_entropy_weighted", _cross_entropy, _cross_entropy_backward, loss_outline
)
SQUARED_ERROR_WEIGHTED = register(
    "squared_error_weighted", _squared_error, _squared_error_backward, loss_outline
)


def batch_norm_weighted(x, weight, gamma, beta, eps=1e-5):
    """Normalise by weighted batch statistics.

    Parameters
    ----------
    x : Tensor or ndarray, shape (N, C) or (N, C, ...)
    weight : ndarray of numbers, shape (N,)
        How often each row counts in the statistics; a constant.
    gamma, beta : Tensor or ndarray, shape (C,)
    eps : float

    Returns
    -------
    y : Tensor of the shape of x
    mean, var : ndarray of float64, shape (C,)
        Weighted mean and biased weighted variance.
    """
    tensors = map(as_tensor, (x, gamma, beta))
    y, (_, _, _, mean, var, _) = record(BATCH_NORM_WEIGHTED, *tensors, weight=weight, eps=eps)
    return y, mean, var


def softmax_cross_entropy_weighted(logits, labels, weight, class_weight=None):
    """Return the weighted mean cross entropy of logits and class indices, a scalar Tensor of float64."""
    attributes = {"labels": labels, "weight": weight, "class_weight": class_weight}
    return apply(SOFTMAX_CROSS_ENTROPY_WEIGHTED, as_tensor(logits), **attributes)


def squared_error_weighted(prediction, target, weight):
    """Return the weighted mean over rows of the mean squared difference, a scalar Tensor of float64."""
    return apply(SQUARED_ERROR_WEIGHTED, as_tensor(prediction), as_tensor(target), weight=weight)
