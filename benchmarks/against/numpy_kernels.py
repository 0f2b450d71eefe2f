"""The kernels in NumPy, as a careful user writes them for speed.

float32 throughout, statistics in two passes, every array allocated beforehand and passed as ``out``, sums of
products by ``einsum``, which needs no temporary, and no call that could be left out.
"""

import numpy as np

from benchmarks.against.numpy_batch_norm import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_relu_backward,
    batch_norm_relu_forward,
)
from benchmarks.against.numpy_weighted import (
    batch_norm_weighted_backward,
    batch_norm_weighted_forward,
    softmax_cross_entropy_weighted_backward,
    softmax_cross_entropy_weighted_forward,
    squared_error_weighted_backward,
    squared_error_weighted_forward,
)

__all__ = [
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_relu_backward",
    "batch_norm_relu_forward",
    "batch_norm_weighted_backward",
    "batch_norm_weighted_forward",
    "softmax_cross_entropy_weighted_backward",
    "softmax_cross_entropy_weighted_forward",
    "squared_error_weighted_backward",
    "squared_error_weighted_forward",
]


def update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum):
    work, keep, unbiased = np.empty_like(mean), 1 - momentum, momentum * n / (n - 1)

    def run():
        np.multiply(running_mean, keep, out=running_mean)
        np.multiply(mean, momentum, out=work)
        np.add(running_mean, work, out=running_mean)
        np.multiply(running_var, keep, out=running_var)
        np.multiply(var, unbiased, out=work)
        np.add(running_var, work, out=running_var)

    return run, {"running_mean": running_mean, "running_var": running_var}


def dense_forward(x, weight, bias, y):
    def run():
        np.matmul(x, weight, out=y)
        np.add(y, bias, out=y)

    return run, {"y": y}


def dense_backward(dy, x, weight, dx, dweight, dbias):
    def run():
        np.matmul(x.T, dy, out=dweight)
        np.matmul(dy, weight.T, out=dx)
        np.add.reduce(dy, axis=0, out=dbias)

    return run, {"dx": dx, "dweight": dweight, "dbias": dbias}


def relu_forward(x, y):
    return lambda: np.maximum(x, 0, out=y), {"y": y}


def relu_backward(dy, y, dx):
    mask = np.empty(y.shape, bool)

    def run():
        np.greater(y, 0, out=mask)
        np.multiply(dy, mask, out=dx)

    return run, {"dx": dx}


def sigmoid_forward(x, y):
    def run():
        np.negative(x, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.reciprocal(y, out=y)

    return run, {"y": y}


def sigmoid_backward(dy, y, dx):
    def run():
        np.subtract(1, y, out=dx)
        np.multiply(dx, y, out=dx)
        np.multiply(dx, dy, out=dx)

    return run, {"dx": dx}


def tanh_forward(x, y):
    return lambda: np.tanh(x, out=y), {"y": y}


def tanh_backward(dy, y, dx):
    def run():
        np.multiply(y, y, out=dx)
        np.subtract(1, dx, out=dx)
        np.multiply(dx, dy, out=dx)

    return run, {"dx": dx}


def softmax_cross_entropy_forward(logits, labels, class_weight, probabilities):
    highest, total = np.empty((len(logits), 1), np.float32), np.empty((len(logits), 1), np.float32)
    rows, margin = np.arange(len(logits)), np.empty_like(logits)

    def run():
        np.max(logits, axis=1, keepdims=True, out=highest)
        np.subtract(logits, highest, out=margin)
        np.exp(margin, out=probabilities)
        np.add.reduce(probabilities, axis=1, keepdims=True, out=total)
        np.divide(probabilities, total, out=probabilities)
        return (np.log(total).sum() - margin[rows, labels].sum()) / len(logits)

    return run, {"probabilities": probabilities}


def softmax_cross_entropy_backward(probabilities, labels, class_weight, dlogits):
    rows, n = np.arange(len(probabilities)), len(probabilities)

    def run():
        np.multiply(probabilities, 1 / n, out=dlogits)
        dlogits[rows, labels] -= 1 / n

    return run, {"dlogits": dlogits}


def squared_error_forward(prediction, target):
    work = np.empty_like(prediction)

    def run():
        np.subtract(prediction, target, out=work)
        return np.vdot(work, work) / work.size

    return run, {}


def squared_error_backward(prediction, target, dprediction):
    factor = 2 / prediction.size

    def run():
        np.subtract(prediction, target, out=dprediction)
        np.multiply(dprediction, factor, out=dprediction)

    return run, {"dprediction": dprediction}


def sgd_update_inplace(param, grad, velocity, learning_rate, momentum, nesterov, weight_decay):
    work = np.empty_like(param)

    def run():
        np.multiply(velocity, momentum, out=velocity)
        np.add(velocity, grad, out=velocity)
        np.multiply(param, weight_decay, out=work)
        np.add(velocity, work, out=velocity)
        np.multiply(velocity, learning_rate, out=work)
        np.subtract(param, work, out=param)

    return run, {"param": param, "velocity": velocity}


def adam_update_inplace(param, grad, m, v, step, learning_rate, beta1, beta2, eps, weight_decay):
    gradient, work = np.empty_like(param), np.empty_like(param)
    rate, root = learning_rate / (1 - beta1**step), (1 - beta2**step) ** -0.5

    def run():
        np.multiply(param, weight_decay, out=gradient)
        np.add(gradient, grad, out=gradient)
        np.multiply(m, beta1, out=m)
        np.multiply(gradient, 1 - beta1, out=work)
        np.add(m, work, out=m)
        np.multiply(gradient, gradient, out=work)
        np.multiply(work, 1 - beta2, out=work)
        np.multiply(v, beta2, out=v)
        np.add(v, work, out=v)
        np.sqrt(v, out=work)
        np.multiply(work, root, out=work)
        np.add(work, eps, out=work)
        np.divide(m, work, out=work)
        np.multiply(work, rate, out=work)
        np.subtract(param, work, out=param)

    return run, {"param": param, "m": m, "v": v}
