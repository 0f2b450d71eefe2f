"""What is timed: for every public kernel its shapes, and float32 arguments for one of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

GRID = ((32, 10), (1000, 10), (32, 64), (128, 128), (256, 512), (1000, 512), (4096, 256),
        (65536, 256), (262144, 64))  # fmt: skip
ELEMENTWISE = ((32, 10), (128, 128), (1000, 512))
DENSE = ((32, 20, 10), (32, 64, 64), (1000, 64, 64), (1000, 512, 10))
LOGITS = ((32, 3), (128, 10), (4096, 100))
SPANS = ((230,), (16384,), (1048576,))
WEIGHTED = ((32, 10), (128, 128), (1000, 512), (4096, 256))
FEATURES = ((10,), (256,), (4096,))


@dataclass(frozen=True, slots=True)
class Case:
    """One kernel, or several in a row, on some shapes.

    Attributes
    ----------
    name : str
        Name in ``minibn.kernels``, or of the sequence.
    shapes : tuple of tuple of int
    arguments : callable
        ``arguments(rng, *shape)`` returns every argument by name, outputs included.
    parts : tuple of str
        Kernels that are called one after the other; the one of that name where empty.
    """

    name: str
    shapes: tuple
    arguments: Callable
    parts: tuple = ()

    @property
    def kernels(self):
        """Names of the kernels that are called one after the other."""
        return self.parts or (self.name,)

    @property
    def batch_norm(self):
        """Whether this kernel runs on the grid of batch norm."""
        return self.shapes is GRID


def _normal(rng, *shape):
    return rng.standard_normal(shape, np.float32)


def _empty(*shape):
    return np.empty(shape, np.float32)


def _batch_norm(rng, n, c):
    """Return the arguments of all batch-norm kernels; each takes those that it names."""
    x = _normal(rng, n, c) * 2 + 3
    return {
        "x": x,
        "dy": _normal(rng, n, c),
        "gamma": 1 + _normal(rng, c) / 4,
        "beta": _normal(rng, c) / 4,
        "mean": x.mean(axis=0, dtype=np.float64),
        "var": x.var(axis=0, dtype=np.float64),
        "eps": 1e-5,
        "y": _empty(n, c),
        "dx": _empty(n, c),
        "dgamma": _empty(c),
        "dbeta": _empty(c),
    }


def _batch_norm_weighted(rng, n, c):
    return _batch_norm(rng, n, c) | {"weight": rng.uniform(0.5, 2, n)}


def _activation(rng, n, c):
    x = _normal(rng, n, c)
    return {"x": x, "dy": _normal(rng, n, c), "y": 1 / (1 + np.exp(-x)), "dx": _empty(n, c)}


def _dense(rng, n, inputs, outputs):
    return {
        "x": _normal(rng, n, inputs),
        "weight": _normal(rng, inputs, outputs),
        "bias": _normal(rng, outputs),
        "dy": _normal(rng, n, outputs),
        "y": _empty(n, outputs),
        "dx": _empty(n, inputs),
        "dweight": _empty(inputs, outputs),
        "dbias": _empty(outputs),
    }


def _cross_entropy(rng, n, k):
    logits = _normal(rng, n, k)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return {
        "logits": logits,
        "labels": rng.integers(k, size=n),
        "weight": rng.uniform(0.5, 2, n),
        "class_weight": None,
        "probabilities": probabilities,
        "dlogits": _empty(n, k),
    }


def _squared_error(rng, n, c):
    return {
        "prediction": _normal(rng, n, c),
        "target": _normal(rng, n, c),
        "weight": rng.uniform(0.5, 2, n),
        "dprediction": _empty(n, c),
    }


def _optimizer(rng, n):
    return {
        "param": _normal(rng, n),
        "grad": _normal(rng, n),
        "velocity": np.zeros(n, np.float32),
        "m": np.zeros(n, np.float32),
        "v": np.zeros(n, np.float32),
        "step": 7,
        "learning_rate": 1e-4,
        "momentum": 0.9,
        "nesterov": False,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 1e-4,
    }


def _running(rng, c):
    return {
        "running_mean": np.zeros(c),
        "running_var": np.ones(c),
        "mean": rng.standard_normal(c),
        "var": rng.uniform(1, 2, c),
        "n": 32,
        "momentum": 0.1,
    }


CASES = (
    Case("batch_norm_forward", GRID, _batch_norm),
    Case("batch_norm_backward", GRID, _batch_norm),
    Case("batch_norm_forward_backward", GRID, _batch_norm, ("batch_norm_forward", "batch_norm_backward")),
    Case("batch_norm_inference", GRID, _batch_norm),
    Case("batch_norm_relu_forward", GRID, _batch_norm),
    Case("batch_norm_relu_backward", GRID, _batch_norm),
    Case("batch_norm_weighted_forward", WEIGHTED, _batch_norm_weighted),
    Case("batch_norm_weighted_backward", WEIGHTED, _batch_norm_weighted),
    Case("update_running_stats_inplace", FEATURES, _running),
    Case("dense_forward", DENSE, _dense),
    Case("dense_backward", DENSE, _dense),
    Case("relu_forward", ELEMENTWISE, _activation),
    Case("relu_backward", ELEMENTWISE, _activation),
    Case("sigmoid_forward", ELEMENTWISE, _activation),
    Case("sigmoid_backward", ELEMENTWISE, _activation),
    Case("tanh_forward", ELEMENTWISE, _activation),
    Case("tanh_backward", ELEMENTWISE, _activation),
    Case("softmax_cross_entropy_forward", LOGITS, _cross_entropy),
    Case("softmax_cross_entropy_backward", LOGITS, _cross_entropy),
    Case("squared_error_forward", ELEMENTWISE, _squared_error),
    Case("squared_error_backward", ELEMENTWISE, _squared_error),
    Case("softmax_cross_entropy_weighted_forward", LOGITS, _cross_entropy),
    Case("softmax_cross_entropy_weighted_backward", LOGITS, _cross_entropy),
    Case("squared_error_weighted_forward", ELEMENTWISE, _squared_error),
    Case("squared_error_weighted_backward", ELEMENTWISE, _squared_error),
    Case("sgd_update_inplace", SPANS, _optimizer),
    Case("adam_update_inplace", SPANS, _optimizer),
)


def shapes(case, quick):
    """Return the shapes to time: all of them, or the smallest and the largest."""
    return (case.shapes[0], case.shapes[-1]) if quick else case.shapes


def label(shape):
    """Return a shape as text, such as ``"32x10"``."""
    return "x".join(map(str, shape))
