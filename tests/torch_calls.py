"""Functions of ``torch.nn.functional`` spelled with minibn's operations: what the conformance tests play."""

import numpy as np

from minibn import autograd, functional
from minibn.autograd import Tensor


def linear(x, weight, bias=None):
    rows = x.reshape(-1, x.shape[-1])
    return autograd.dense(rows, weight.T, bias).reshape(*x.shape[:-1], weight.shape[0])


def batch_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Return the output; the running statistics, arrays of float64, move in training."""
    channels = x.shape[1] if x.ndim > 1 else x.shape[0]
    weight = Tensor(np.ones(channels, x.dtype)) if weight is None else weight
    bias = Tensor(np.zeros(channels, x.dtype)) if bias is None else bias
    if not training:
        return autograd.batch_norm_inference(x, weight, bias, running_mean, running_var, eps)
    y, mean, var = autograd.batch_norm(x, weight, bias, eps)
    if running_mean is not None:
        n = x.data.size // channels
        functional.update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum)
    return y


def mse_loss(x, target, reduction="mean"):
    """Return the loss; the mean is minibn's, the sum that of all entries, and each entry one of its own."""
    if reduction == "mean":
        return autograd.squared_error(x, target)
    difference = x - target
    return (difference * difference).sum() if reduction == "sum" else difference * difference


def cross_entropy(
    x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):  # fmt: skip
    """Return the loss of class indices or of probabilities.

    Every kind is a weighted sum of the losses of (row, label) pairs, which minibn's weighted cross entropy gives:
    a probability is the weight of its label, a row that is ignored has weight 0.
    """
    target = target.data if isinstance(target, Tensor) else target  # probabilities are constants here
    rows = _classes_last(x)
    classes, weight = rows.shape[1], np.ones(rows.shape[1]) if weight is None else weight.astype(np.float64)
    if target.dtype.kind == "f" and target.shape == x.shape:
        pairs, divisor = _classes_last(Tensor(target)).data * weight, len(rows)
        pairs = pairs * (1 - label_smoothing) + weight * label_smoothing / classes
        places = (*x.shape[:1], *x.shape[2:]) if x.ndim > 1 else ()
    else:
        kept = target.reshape(-1) != ignore_index
        labels, places = np.where(kept, target.reshape(-1), 0), target.shape
        if reduction == "mean" and not label_smoothing:
            return _mean(rows, labels, kept, weight)
        functional.checks.labels("target", labels, len(rows), classes)
        own = weight[labels] * kept
        if reduction == "mean":
            functional.checks.weights("weight", own, len(rows))  # the mean of nothing
        pairs, divisor = np.zeros(rows.shape), own.sum()
        pairs[np.arange(len(rows)), labels] = own * (1 - label_smoothing)
        pairs += np.outer(kept, weight) * label_smoothing / classes
    if reduction == "none":
        return _each(rows, pairs).reshape(places)
    total = _total(rows, pairs)
    return total if reduction == "sum" else total / float(divisor)


def _classes_last(x):
    """Return (C,) or (N, C, ...) as rows of classes."""
    if x.ndim == 1:
        return x.reshape(1, -1)
    return x.transpose((0, *range(2, x.ndim), 1)).reshape(-1, x.shape[1])


def _mean(rows, labels, kept, weight):
    if kept.all():
        return autograd.softmax_cross_entropy(rows, labels, weight)
    return autograd.softmax_cross_entropy_weighted(rows, labels, kept.astype(np.float64), weight)


def _total(rows, pairs):
    """Return the sum of the losses of all pairs, each with its weight."""
    count, classes = pairs.shape
    if not pairs.any():
        return (rows * 0.0).sum()
    every = (rows.reshape(count, 1, classes) + np.zeros((1, classes, 1), rows.dtype)).reshape(-1, classes)
    labels, weights = np.tile(np.arange(classes), count), pairs.reshape(-1)
    return autograd.softmax_cross_entropy_weighted(every, labels, weights) * float(weights.sum())


def _each(rows, pairs):
    """Return the loss of each row, weighted: a total in which no other row counts."""
    rows_alone = np.eye(len(pairs))
    return sum((_total(rows, pairs * one[:, None]) * one for one in rows_alone), np.zeros(len(pairs)))
