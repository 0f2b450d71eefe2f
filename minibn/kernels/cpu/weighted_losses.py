"""Losses of rows that have weights: means over rows in which a row of weight 2 counts as two.

A row of weight 0 adds nothing to the loss and gets a gradient of exactly 0, whatever it holds, NaN included.
"""

import math

import numpy as np

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.batch_norm_weighted import total_weight
from minibn.kernels.cpu.maths import decay
from minibn.kernels.cpu.views import optional

_EVEN = np.empty(0)


@kernel_part
def _row_weight(i, labels, weight, class_weight):
    return weight[i] * class_weight[labels[i]] if class_weight.size else weight[i]


@kernel_part
def _weight_of_rows(labels, weight, class_weight):
    total = 0.0
    for i in range(labels.size):
        total += _row_weight(i, labels, weight, class_weight)
    return total


@kernel
def softmax_cross_entropy_weighted_forward(logits, labels, weight, class_weight, probabilities):
    """Write the softmax of each row and return the weighted mean of the rows' cross entropies.

    Parameters
    ----------
    logits : ndarray of float32 or float64, shape (N, K)
        C-contiguous. Nothing is checked.
    labels : ndarray of int64, shape (N,)
        Class indices in [0, K).
    weight : ndarray of float64, shape (N,)
        Of each row: not negative, at least one positive.
    class_weight : ndarray of float64, shape (K,), or None
        None or empty for equal weights. Multiplies the weights of the rows.
    probabilities : ndarray of the dtype of logits, shape (N, K)
        Output, of rows of weight 0 too.

    Returns
    -------
    float
        Loss in nats.

    Notes
    -----
    As :func:`softmax_cross_entropy_forward`; Bishop 2006, equations 4.104 and 4.108.
    """
    factors, loss = optional(class_weight, _EVEN), 0.0
    for i in range(logits.shape[0]):
        row, out, highest, total = logits[i], probabilities[i], logits[i, 0], np.float64(0)
        for k in range(1, row.size):
            highest = row[k] if row[k] > highest else highest
        for k in range(row.size):
            out[k] = row[k] - highest
        for k in range(row.size):
            out[k] = decay(out[k])
        for k in range(row.size):
            total += out[k]
        inverse = 1.0 / total
        for k in range(row.size):
            out[k] = out[k] * inverse
        factor = _row_weight(i, labels, weight, factors)
        if factor != 0:
            loss += factor * (math.log(total) + (np.float64(highest) - np.float64(row[labels[i]])))
    return loss / _weight_of_rows(labels, weight, factors)


@kernel
def softmax_cross_entropy_weighted_backward(probabilities, labels, weight, class_weight, dlogits):
    """Write the gradient of the weighted mean: weight * (probabilities - one hot) / sum of weights.

    Parameters
    ----------
    probabilities : ndarray of float32 or float64, shape (N, K)
        What the forward pass wrote. C-contiguous. Nothing is checked.
    labels : ndarray of int64, shape (N,)
    weight : ndarray of float64, shape (N,)
    class_weight : ndarray of float64, shape (K,), or None
    dlogits : ndarray of the dtype of probabilities, shape (N, K)
        Output.

    Notes
    -----
    Bishop 2006, equation 4.109.
    """
    factors = optional(class_weight, _EVEN)
    total = _weight_of_rows(labels, weight, factors)
    for i in range(probabilities.shape[0]):
        row, out = probabilities[i], dlogits[i]
        factor = _row_weight(i, labels, weight, factors)
        if factor != 0:
            factor /= total
            for k in range(row.size):
                out[k] = row[k] * factor
            out[labels[i]] = (np.float64(row[labels[i]]) - 1.0) * factor
        else:
            for k in range(row.size):
                out[k] = 0.0


@kernel
def squared_error_weighted_forward(prediction, target, weight):
    """Return the weighted mean over rows of the mean of (prediction - target) ** 2 over columns.

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, shape (N, K)
        C-contiguous. Nothing is checked.
    weight : ndarray of float64, shape (N,)
        Of each row: not negative, at least one positive.

    Returns
    -------
    float
    """
    loss = 0.0
    for i in range(prediction.shape[0]):
        if weight[i] != 0:
            p, t, total = prediction[i], target[i], 0.0
            for k in range(p.size):
                difference = np.float64(p[k]) - np.float64(t[k])
                total += difference * difference
            loss += weight[i] * total
    return loss / (total_weight(weight) * prediction.shape[1])


@kernel
def squared_error_weighted_backward(prediction, target, weight, dprediction):
    """Write 2 weight (prediction - target) / (sum of weights * columns).

    Parameters
    ----------
    prediction, target : ndarray of float32 or float64, shape (N, K)
        C-contiguous. Nothing is checked.
    weight : ndarray of float64, shape (N,)
    dprediction : ndarray of the dtype and shape of prediction
        Output.
    """
    share = 2.0 / (total_weight(weight) * prediction.shape[1])
    for i in range(prediction.shape[0]):
        p, t, out, factor = prediction[i], target[i], dprediction[i], weight[i] * share
        if factor != 0:
            for k in range(p.size):
                out[k] = (np.float64(p[k]) - np.float64(t[k])) * factor
        else:
            for k in range(p.size):
                out[k] = 0.0
