"""Losses with their gradients. Each forward pass returns a mean over rows as a float64."""

import math

import numpy as np

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.maths import decay
from minibn.kernels.cpu.scratch import scratch_like
from minibn.kernels.cpu.side_by_side import SIDE
from minibn.kernels.cpu.softmax_lanes import FEW, softmax_block
from minibn.kernels.cpu.softmax_rows import share_row, shift_row
from minibn.kernels.cpu.views import flat, optional

_EVEN = np.empty(0)
_SUMS = 32  # independent sums, which fill the vector registers
_FULL = 1e250  # far enough below the largest float64 for one more factor, a number of classes
_BLOCK = 64  # rows that stay in the first-level cache between the passes
_SPAN = 128  # rows whose product of totals, each below 32, stays far below the largest float64


@kernel_part
def _total_weight(labels, class_weight):
    """Return the sum of the rows' weights: what the mean divides by."""
    if class_weight.size == 0:
        return np.float64(labels.size)
    total = 0.0
    for i in range(labels.size):
        total += class_weight[labels[i]]
    return total


@kernel_part
def _weight(label, class_weight):
    return class_weight[label] if class_weight.size else 1.0


@kernel_part
def _log_total(sums):
    """Return the lags of the lanes plus the logarithms of their totals: the sum of those is that of the product."""
    lag, product = 0.0, np.float64(1)
    for r in range(SIDE):
        lag += sums[2 * SIDE + r]
        product *= sums[3 * SIDE + r]
    return lag + math.log(product)


@kernel_part
def _weighted_block(sums, labels, weights, first, count):
    """Return the weighted loss of one block of rows."""
    loss = 0.0
    for r in range(count):
        loss += weights[labels[first + r]] * (sums[r] + math.log(sums[SIDE + r]))
    return loss


@kernel_part
def _of_few(logits, labels, weights, probabilities):
    """Write the softmax of few classes and return the sum of the losses, blocks of rows side by side."""
    rows, classes = logits.shape
    source, target, loss = flat(logits), flat(probabilities), 0.0
    room, sums = scratch_like(source), scratch_like(_EVEN)
    for start in range(0, rows, _SPAN):
        for r in range(SIDE):
            sums[2 * SIDE + r], sums[3 * SIDE + r] = 0.0, 1.0
        stop = min(start + _SPAN, rows)
        for first in range(start, stop, SIDE):
            count = min(SIDE, stop - first)
            softmax_block(source, labels, target, room, sums, first, count, classes)
            if weights.size:
                loss += _weighted_block(sums, labels, weights, first, count)
        if weights.size == 0:
            loss += _log_total(sums)
    return loss


@kernel_part
def _of_many(logits, labels, weights, probabilities):
    """Write the softmax of many classes and return the sum of the losses, row by row."""
    rows, classes = logits.shape
    powers, loss, product = flat(probabilities), 0.0, np.float64(1)
    for first in range(0, rows, _BLOCK):
        last = min(first + _BLOCK, rows)
        for i in range(first, last):
            row = logits[i]
            highest = shift_row(row, probabilities[i])
            loss += _weight(labels[i], weights) * (np.float64(highest) - np.float64(row[labels[i]]))
        block = powers[first * classes : last * classes]
        for k in range(block.size):  # many rows at once fill the vector registers
            block[k] = decay(block[k])
        for i in range(first, last):
            total = share_row(probabilities[i])
            if weights.size:
                loss += weights[labels[i]] * math.log(total)
            else:  # one logarithm serves many rows
                product *= total
                if product > _FULL:
                    loss += math.log(product)
                    product = np.float64(1)
    return loss + math.log(product)


@kernel
def softmax_cross_entropy_forward(logits, labels, class_weight, probabilities):
    """Write the softmax of each row and return the mean cross entropy, without overflow.

    Parameters
    ----------
    logits : ndarray of float32 or float64, shape (N, K)
        C-contiguous. Nothing is checked.
    labels : ndarray of int64, shape (N,)
        Class indices in [0, K).
    class_weight : ndarray of float64, shape (K,), or None
        None or empty for equal weights. Weight of each class; the mean divides by the sum of the rows' weights.
    probabilities : ndarray of the dtype of logits, shape (N, K)
        Output.

    Returns
    -------
    float
        Loss in nats.

    Notes
    -----
    Bishop 2006, Pattern Recognition and Machine Learning, equations 4.104 and 4.108.
    """
    weights = optional(class_weight, _EVEN)
    if logits.shape[1] < FEW:
        loss = _of_few(logits, labels, weights, probabilities)
    else:
        loss = _of_many(logits, labels, weights, probabilities)
    return loss / _total_weight(labels, weights)


@kernel
def softmax_cross_entropy_backward(probabilities, labels, class_weight, dlogits):
    """Write the gradient of the mean cross entropy: weight * (probabilities - one hot) / sum of weights.

    Parameters
    ----------
    probabilities : ndarray of float32 or float64, shape (N, K)
        What the forward pass wrote. C-contiguous. Nothing is checked.
    labels : ndarray of int64, shape (N,)
    class_weight : ndarray of float64, shape (K,), or None
    dlogits : ndarray of the dtype of probabilities, shape (N, K)
        Output.

    Notes
    -----
    Bishop 2006, equation 4.109.
    """
    weights = optional(class_weight, _EVEN)
    total, classes = _total_weight(labels, weights), probabilities.shape[1]
    source, out, factor = flat(probabilities), flat(dlogits), 1.0 / total
    if weights.size == 0:
        for k in range(source.size):
            out[k] = source[k] * factor
    for i in range(labels.size):
        start = i * classes
        if weights.size:
            factor = weights[labels[i]] / total
            for k in range(start, start + classes):
                out[k] = source[k] * factor
        place = start + labels[i]
        out[place] = (np.float64(source[place]) - 1.0) * factor


@kernel
def squared_error_forward(prediction, target):
    """Return the mean of (prediction - target) ** 2 over all entries.

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, the same shape
        C-contiguous. Nothing is checked.

    Returns
    -------
    float
    """
    p, t, sums = flat(prediction), flat(target), scratch_like(_EVEN)
    for k in range(_SUMS):
        sums[k] = 0.0
    for start in range(0, p.size, _SUMS):
        ours, theirs = p[start : start + _SUMS], t[start : start + _SUMS]
        for k in range(ours.size):
            difference = np.float64(ours[k]) - np.float64(theirs[k])
            sums[k] += difference * difference
    total = 0.0
    for k in range(_SUMS):
        total += sums[k]
    return total / p.size


@kernel
def squared_error_backward(prediction, target, dprediction):
    """Write 2 (prediction - target) / number of entries.

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, the same shape
        C-contiguous. Nothing is checked.
    dprediction : ndarray of the dtype and shape of prediction
        Output.
    """
    p, t, out = flat(prediction), flat(target), flat(dprediction)
    factor = 2.0 / p.size
    for i in range(p.size):
        out[i] = (np.float64(p[i]) - np.float64(t[i])) * factor
