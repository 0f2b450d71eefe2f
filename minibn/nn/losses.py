"""Losses as objects, so that a training loop can hold one with its settings."""

import numpy as np

from minibn import foreign
from minibn.autograd import (
    Tensor,
    softmax_cross_entropy,
    softmax_cross_entropy_weighted,
    squared_error,
    squared_error_weighted,
)


class SoftmaxCrossEntropy:
    """Mean cross entropy of softmax probabilities, in nats.

    Parameters
    ----------
    class_weight : ndarray of float64, shape (K,), optional
        Weight of each class; the mean divides by the sum of the rows' weights.
    """

    def __init__(self, class_weight=None):
        self.class_weight = class_weight
        if class_weight is not None:
            self.class_weight = np.asarray(foreign.exchanged("class_weight", class_weight), np.float64)

    def __call__(self, output, target, sample_weight=None):
        """Return the loss of logits (N, K) and class indices (N,), a scalar Tensor.

        ``sample_weight``, shape (N,), multiplies the weights of the rows' classes.
        """
        if sample_weight is None:
            return softmax_cross_entropy(output, target, self.class_weight)
        return softmax_cross_entropy_weighted(output, target, _weights(sample_weight), self.class_weight)

    def weight(self, target, sample_weight=None):
        """Return what the mean over these rows divides by."""
        if self.class_weight is None:
            return _total(target, sample_weight)
        weight = self.class_weight[target]
        return _total(target, weight if sample_weight is None else sample_weight * weight)

    @staticmethod
    def correct(output, target, sample_weight=None):
        """Return how many rows have their largest logit at the target, or the sum of their weights."""
        right = output.argmax(axis=1) == target
        return int(right.sum()) if sample_weight is None else _total(target, right * sample_weight)


class SquaredError:
    """Mean squared difference over all entries."""

    def __call__(self, output, target, sample_weight=None):
        """Return the loss of predictions and targets of one size, a scalar Tensor; weighs rows where told to."""
        output = output if isinstance(output, Tensor) else Tensor(output)
        target = np.asarray(foreign.exchanged("target", target), output.dtype)
        target = target.reshape(output.shape) if target.size == output.data.size else target
        if sample_weight is None:
            return squared_error(output, target)
        return squared_error_weighted(output, target, _weights(sample_weight))

    def weight(self, target, sample_weight=None):
        """Return what the mean over these rows divides by, up to the number of columns."""
        return _total(target, sample_weight)

    @staticmethod
    def correct(output, target, sample_weight=None):
        """Return None: a regression has no accuracy."""


def _total(target, weight):
    """Return the number of rows, or the sum of their weights, added in order as a program does."""
    return float(len(target)) if weight is None else float(np.cumsum(weight, dtype=np.float64)[-1])


LOSSES = {"softmax_cross_entropy": SoftmaxCrossEntropy, "squared_error": SquaredError}


def _weights(sample_weight):
    return np.asarray(foreign.exchanged("sample_weight", sample_weight))
