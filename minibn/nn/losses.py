"""Losses as objects, so that a training loop can hold one with its settings."""

import numpy as np

from minibn.autograd import Tensor, softmax_cross_entropy, squared_error


class SoftmaxCrossEntropy:
    """Mean cross entropy of softmax probabilities, in nats.

    Parameters
    ----------
    class_weight : ndarray of float64, shape (K,), optional
        Weight of each class; the mean divides by the sum of the rows' weights.
    """

    def __init__(self, class_weight=None):
        self.class_weight = None if class_weight is None else np.asarray(class_weight, np.float64)

    def __call__(self, output, target):
        """Return the loss of logits (N, K) and class indices (N,), a scalar Tensor."""
        return softmax_cross_entropy(output, target, self.class_weight)

    def weight(self, target):
        """Return what the mean over these rows divides by."""
        return (
            float(len(target))
            if self.class_weight is None
            else float(np.cumsum(self.class_weight[target])[-1])
        )

    @staticmethod
    def correct(output, target):
        """Return how many rows have their largest logit at the target."""
        return int((output.argmax(axis=1) == target).sum())


class SquaredError:
    """Mean squared difference over all entries."""

    def __call__(self, output, target):
        """Return the loss of predictions and targets of one size, a scalar Tensor."""
        output = output if isinstance(output, Tensor) else Tensor(output)
        target = np.asarray(target, output.dtype)
        return squared_error(
            output, target.reshape(output.shape) if target.size == output.data.size else target
        )

    def weight(self, target):
        """Return what the mean over these rows divides by, up to the number of columns."""
        return float(len(target))

    @staticmethod
    def correct(output, target):
        """Return None: a regression has no accuracy."""


LOSSES = {"softmax_cross_entropy": SoftmaxCrossEntropy, "squared_error": SquaredError}
