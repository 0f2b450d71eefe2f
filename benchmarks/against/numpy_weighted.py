"""Batch norm and losses of weighted rows in NumPy, float32, nothing allocated while they run."""

import numpy as np


def _row(like):
    return np.empty(like.shape[1], np.float32)


def _shares(weight):
    """Return the share of each row in the sum of the weights."""
    return (weight / weight.sum()).astype(np.float32)


def batch_norm_weighted_forward(x, weight, gamma, beta, eps, y, mean, var):
    mean, var, scale, share = _row(x), _row(x), _row(x), _shares(weight)

    def run():
        np.matmul(share, x, out=mean)
        np.subtract(x, mean, out=y)
        np.einsum("i,ij,ij->j", share, y, y, out=var)
        np.add(var, eps, out=scale)
        np.sqrt(scale, out=scale)
        np.divide(gamma, scale, out=scale)
        np.multiply(y, scale, out=y)
        np.add(y, beta, out=y)

    return run, {"y": y, "mean": mean, "var": var}


def batch_norm_weighted_backward(dy, x, weight, gamma, mean, var, eps, dx, dgamma, dbeta):
    mean, var, share = mean.astype(np.float32), var.astype(np.float32), _shares(weight)[:, None]
    inverse, slope, centred = _row(x), _row(x), np.empty_like(x)

    def run():
        np.add(var, eps, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.divide(1, inverse, out=inverse)
        np.subtract(x, mean, out=centred)
        np.add.reduce(dy, axis=0, out=dbeta)
        np.einsum("ij,ij->j", dy, centred, out=dgamma)
        np.multiply(dgamma, inverse, out=dgamma)
        np.multiply(dgamma, inverse, out=slope)
        np.multiply(centred, slope, out=centred)
        np.add(centred, dbeta, out=centred)
        np.multiply(centred, share, out=centred)
        np.subtract(dy, centred, out=dx)
        np.multiply(inverse, gamma, out=inverse)
        np.multiply(dx, inverse, out=dx)

    return run, {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def softmax_cross_entropy_weighted_forward(logits, labels, weight, class_weight, probabilities):
    highest, total = np.empty((len(logits), 1), np.float32), np.empty((len(logits), 1), np.float32)
    rows, margin, share = np.arange(len(logits)), np.empty_like(logits), _shares(weight)

    def run():
        np.max(logits, axis=1, keepdims=True, out=highest)
        np.subtract(logits, highest, out=margin)
        np.exp(margin, out=probabilities)
        np.add.reduce(probabilities, axis=1, keepdims=True, out=total)
        np.divide(probabilities, total, out=probabilities)
        return share @ (np.log(total)[:, 0] - margin[rows, labels])

    return run, {"probabilities": probabilities}


def softmax_cross_entropy_weighted_backward(probabilities, labels, weight, class_weight, dlogits):
    rows, share = np.arange(len(probabilities)), _shares(weight)

    def run():
        np.multiply(probabilities, share[:, None], out=dlogits)
        dlogits[rows, labels] -= share

    return run, {"dlogits": dlogits}


def squared_error_weighted_forward(prediction, target, weight):
    work, share = np.empty_like(prediction), _shares(weight) / prediction.shape[1]

    def run():
        np.subtract(prediction, target, out=work)
        return np.einsum("i,ij,ij->", share, work, work)

    return run, {}


def squared_error_weighted_backward(prediction, target, weight, dprediction):
    share = (2 * _shares(weight) / prediction.shape[1])[:, None]

    def run():
        np.subtract(prediction, target, out=dprediction)
        np.multiply(dprediction, share, out=dprediction)

    return run, {"dprediction": dprediction}
