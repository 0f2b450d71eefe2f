"""One table of cases for every level: kernels, the checked functions, and the autograd operations.

A row names what it tests, makes its inputs, and knows the float64 answer. A row with ``kernel`` is played as a
kernel and as a checked function; a row with ``op`` is played on the tape; most rows of layers have both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numba
import numpy as np
import oracles
import pytest

from minibn import autograd, functional, kernels

JIT = not numba.config.DISABLE_JIT
needs_jit = pytest.mark.skipif(not JIT, reason="needs the compiler, NUMBA_DISABLE_JIT is set")

FLOATS = (np.float32, np.float64)
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-11}
EPS = 1e-5

SMALL = ((2, 1), (3, 5), (7, 2), (32, 10))
LARGE = ((100, 64), (11, 600))  # products that reach BLAS; more columns than one tile
NOT_KERNELS = {"njit", "on_compile", "get_threads", "set_threads"}


@dataclass(frozen=True)
class Case:
    """One row.

    ``inputs(rng, shape, dtype)`` makes the arguments in the order of kernel and function; ``oracle(*inputs)``
    the results, first what the call returns (where ``returns``), then each of ``outputs``, or the arrays at
    ``changed``. On the tape, the first ``tensors`` inputs are tensors, and ``gradient(dy, *inputs)`` gives theirs.
    ``cuda`` is the tolerance of the twin on CUDA, which is float32 throughout.
    """

    name: str
    inputs: Callable
    oracle: Callable
    kernel: str | None = None
    outputs: tuple = ()
    changed: tuple = ()
    returns: bool = False
    op: str | None = None
    play: Callable | None = None
    tensors: int = 1
    gradient: Callable | None = None
    shapes: tuple = SMALL
    cuda: float = 1e-5

    def make(self, shape, dtype, seed=0):
        return self.inputs(np.random.default_rng([seed, *shape]), shape, dtype)

    def expected(self, inputs):
        return tuple(np.asarray(value) for value in self.oracle(*inputs))

    def run_kernel(self, inputs, kernel=None):
        """Play the kernel on outputs poisoned with NaN and return its results in the oracle's order."""
        outputs = self.poisoned(inputs)
        result = (kernel or getattr(kernels, self.kernel))(*inputs, *outputs)
        written = [inputs[i] for i in self.changed] or outputs
        return ([result] if self.returns else []) + written

    def poisoned(self, inputs):
        dtype = next(a.dtype for a in inputs if isinstance(a, np.ndarray))
        results = self.expected(inputs)[self.returns :] if self.outputs else ()
        return [
            np.full(value.shape, np.nan, np.float64 if name in ("mean", "var") else dtype)
            for name, value in zip(self.outputs, results, strict=True)
        ]

    def run_function(self, inputs):
        """Play the checked function and return its results in the oracle's order."""
        result = getattr(functional, self.kernel)(*inputs)
        if self.changed:
            return [inputs[i] for i in self.changed]
        return list(result) if isinstance(result, tuple) else [result]

    def run_tape(self, tensors, rest):
        """Play the operation and return its output tensor."""
        result = (self.play or getattr(autograd, self.op))(*tensors, *rest)
        return result[0] if isinstance(result, tuple) else result


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def positive(rng, shape, dtype):
    return rng.uniform(0.5, 2.0, shape).astype(dtype)


# inputs, in the order of the arguments


def scaled(rng, shape, dtype):
    return normal(rng, shape, dtype), positive(rng, shape[1], dtype), normal(rng, shape[1], dtype), EPS


def open_or_closed(rng, shape, dtype):
    """Inputs of a batch norm before a ReLU with no output near its kink."""
    while True:
        x, gamma, beta, eps = scaled(rng, shape, dtype)
        y = oracles.batch_norm_forward(x, gamma, beta, eps)[0]
        if np.abs(y).min() > 1e-4:
            return x, gamma, beta, eps


def with_statistics(rng, shape, dtype):
    x, gamma, beta, eps = scaled(rng, shape, dtype)
    return x, gamma, beta, normal(rng, shape[1], np.float64), positive(rng, shape[1], np.float64), eps


def backward(rng, shape, dtype):
    x, gamma, beta, eps = scaled(rng, shape, dtype)
    _, mean, var = oracles.batch_norm_forward(x, gamma, beta, eps)
    return normal(rng, shape, dtype), x, gamma, mean, var, eps


def relu_backward(rng, shape, dtype):
    x, gamma, beta, eps = open_or_closed(rng, shape, dtype)
    _, mean, var = oracles.batch_norm_forward(x, gamma, beta, eps)
    return normal(rng, shape, dtype), x, gamma, beta, mean, var, eps


def row_weights(rng, rows):
    """Weights of rows, one in three of them 0, but for the first two."""
    weight = positive(rng, rows, np.float64)
    weight[2:] *= rng.random(rows - 2) > 1 / 3
    return weight


def weighted(rng, shape, dtype):
    x, gamma, beta, eps = scaled(rng, shape, dtype)
    return x, row_weights(rng, shape[0]), gamma, beta, eps


def weights_last(rng, shape, dtype):
    """On the tape the weights are no tensor."""
    x, weight, gamma, beta, eps = weighted(rng, shape, dtype)
    return x, gamma, beta, weight, eps


def weighted_backward(rng, shape, dtype):
    x, weight, gamma, beta, eps = weighted(rng, shape, dtype)
    _, mean, var = oracles.batch_norm_weighted_forward(x, weight, gamma, beta, eps)
    return normal(rng, shape, dtype), x, weight, gamma, mean, var, eps


def running(n, momentum):
    def make(rng, shape, dtype):
        columns = shape[1]
        means = normal(rng, columns, np.float64), normal(rng, columns, np.float64)
        variances = positive(rng, columns, np.float64), positive(rng, columns, np.float64)
        return means[0], variances[0], means[1], variances[1], n, momentum

    return make


def units(shape):
    return max(2, shape[1] // 2)


def dense(bias):
    def make(rng, shape, dtype):
        weight = normal(rng, (shape[1], units(shape)), dtype)
        x = normal(rng, shape, dtype)
        return (x, weight, normal(rng, units(shape), dtype)) if bias else (x, weight)

    return make


def dense_no_bias(rng, shape, dtype):
    return *dense(False)(rng, shape, dtype), None


def dense_backward(rng, shape, dtype):
    x, weight = dense(False)(rng, shape, dtype)
    return normal(rng, (shape[0], units(shape)), dtype), x, weight


def single(make):
    return lambda rng, shape, dtype: (make(rng, shape, dtype),)


def far(rng, shape, dtype):
    return (100 * normal(rng, shape, dtype),)


def pair(rng, shape, dtype):
    return normal(rng, shape, dtype), normal(rng, shape, dtype)


def weighted_pair(rng, shape, dtype):
    return *pair(rng, shape, dtype), row_weights(rng, shape[0])


def output_of(forward):
    def make(rng, shape, dtype):
        return normal(rng, shape, dtype), forward(normal(rng, shape, dtype))[0].astype(dtype)

    return make


def logits(weighted, size=3.0):
    def make(rng, shape, dtype):
        classes = max(2, shape[1])
        labels = rng.integers(0, classes, shape[0])
        weight = positive(rng, classes, np.float64) if weighted else None
        return size * normal(rng, (shape[0], classes), dtype), labels, weight

    return make


def probabilities(weighted):
    def make(rng, shape, dtype):
        scores, labels, weight = logits(weighted)(rng, shape, dtype)
        return oracles.softmax(scores).astype(dtype), labels, weight

    return make


def rows_weighted(make):
    """Give the inputs of a cross entropy a weight for each row, before those of the classes."""

    def weighted_rows(rng, shape, dtype):
        scores, labels, class_weight = make(rng, shape, dtype)
        return scores, labels, row_weights(rng, shape[0]), class_weight

    return weighted_rows


def sgd(momentum, nesterov, decay, velocity=True):
    def make(rng, shape, dtype):
        state = normal(rng, shape, dtype) if velocity else None
        return *pair(rng, shape, dtype), state, 0.1, momentum, nesterov, decay

    return make


def adam(step, decay):
    def make(rng, shape, dtype):
        second = positive(rng, shape, dtype)
        return *pair(rng, shape, dtype), normal(rng, shape, dtype), second, step, 0.01, 0.9, 0.99, 1e-8, decay

    return make


# gradients of the layer operations, of the tensors among their inputs


def batch_norm_gradient(dy, x, gamma, beta, eps):
    _, mean, var = oracles.batch_norm_forward(x, gamma, beta, eps)
    return oracles.batch_norm_backward(dy, x, gamma, mean, var, eps)


def batch_norm_relu_gradient(dy, x, gamma, beta, eps):
    _, mean, var = oracles.batch_norm_forward(x, gamma, beta, eps)
    return oracles.batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps)


def batch_norm_weighted_gradient(dy, x, gamma, beta, weight, eps):
    _, mean, var = oracles.batch_norm_weighted_forward(x, weight, gamma, beta, eps)
    return oracles.batch_norm_weighted_backward(dy, x, weight, gamma, mean, var, eps)


def inference_gradient(dy, x, gamma, beta, mean, var, eps):
    return oracles.batch_norm_inference_backward(dy, x, gamma, mean, var, eps)


def dense_gradient(dy, x, weight, bias=None):
    return oracles.dense_backward(dy, x, weight)[: 2 if bias is None else 3]


def activation_gradient(forward, backward):
    return lambda dy, x: backward(dy, forward(x)[0])


def cross_entropy_gradient(dy, scores, labels, weight):
    return (dy * oracles.softmax_cross_entropy_backward(oracles.softmax(scores), labels, weight)[0],)


def weighted_cross_entropy_gradient(dy, scores, labels, weight, class_weight):
    found = oracles.softmax(scores)
    return (dy * oracles.softmax_cross_entropy_weighted_backward(found, labels, weight, class_weight)[0],)


def weighted_squared_error_gradient(dy, prediction, target, weight):
    gradient = dy * oracles.squared_error_weighted_backward(prediction, target, weight)[0]
    return gradient, -gradient


def squared_error_gradient(dy, prediction, target):
    gradient = dy * oracles.squared_error_backward(prediction, target)[0]
    return gradient, -gradient


# tape-only operations


def method(name, *arguments):
    return lambda tensor: getattr(tensor, name)(*arguments)


def broadcast(left, right, make=normal):
    return lambda rng, shape, dtype: (make(rng, left, dtype), make(rng, right, dtype))


def spread(axis, factor=lambda x: 1.0):
    """Gradient rule of a sum, or of a mean where ``factor`` gives one over the number of terms."""

    def rule(dy, x):
        dy = dy if axis is None else np.expand_dims(dy, axis)
        return (dy * factor(x) * np.ones(x.shape),)

    return rule


def tape(name, play, inputs, forward, gradient, tensors=1, label=""):
    return Case(
        f"{name}{label}",
        inputs,
        lambda *arrays: (forward(*map(oracles.f64, arrays)),),
        op=name,
        play=play,
        tensors=tensors,
        gradient=gradient,
        shapes=SMALL[:2],
    )


BROADCASTS = (
    ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 4), ()), ((1, 4), (3, 1)), ((2, 3, 4), (3, 1)),
    ((4,), (2, 3, 4)), ((), ()), ((2, 1, 4), (3, 1)), ((1,), (5,)), ((1, 1), (2, 3)),
)  # fmt: skip
BINARY = {
    "add": (lambda a, b: a + b, normal, oracles.add_backward),
    "sub": (lambda a, b: a - b, normal, oracles.sub_backward),
    "mul": (lambda a, b: a * b, normal, oracles.mul_backward),
    "div": (lambda a, b: a / b, positive, oracles.div_backward),
}

TAPE_ONLY = [
    tape(name, rule, broadcast(left, right, make), rule, gradient, 2, f" {left} {right}")
    for (name, (rule, make, gradient)), (left, right) in product(BINARY.items(), BROADCASTS)
] + [
    tape("matmul", lambda a, b: a @ b, dense(False), np.matmul, oracles.matmul_backward, 2),
    tape("sum", method("sum"), single(normal), np.sum, spread(None)),
    tape("sum", method("sum", 0), single(normal), lambda x: x.sum(0), spread(0), label=" axis 0"),
    tape("sum", method("sum", -1, True), single(normal), lambda x: x.sum(-1, keepdims=True),
         lambda dy, x: (dy * np.ones(x.shape),), label=" keepdims"),
    tape("sum", method("sum", (0, 1)), single(normal), np.sum, spread((0, 1)), label=" both axes"),
    tape("mean", method("mean"), single(normal), np.mean, spread(None, lambda x: 1 / x.size)),
    tape("mean", method("mean", 0), single(normal), lambda x: x.mean(0), spread(0, lambda x: 1 / len(x)),
         label=" axis 0"),
    tape("reshape", method("reshape", -1), single(normal), np.ravel, lambda dy, x: (dy.reshape(x.shape),)),
    tape("transpose", method("transpose"), single(normal), np.transpose, lambda dy, x: (dy.T,)),
    tape("transpose", method("transpose", 1, 2, 0), lambda rng, shape, dtype: (normal(rng, (2, 3, 4), dtype),),
         lambda x: x.transpose(1, 2, 0), lambda dy, x: (dy.transpose(2, 0, 1),), label=" axes"),
    tape("exp", method("exp"), single(normal), np.exp, lambda dy, x: (dy * np.exp(oracles.f64(x)),)),
    tape("log", method("log"), single(positive), np.log, lambda dy, x: (dy / oracles.f64(x),)),
]  # fmt: skip


def activation(name):
    forward, back = getattr(oracles, f"{name}_forward"), getattr(oracles, f"{name}_backward")
    return [
        Case(f"{name}_forward", single(normal), forward, f"{name}_forward", ("y",), op=name,
             gradient=activation_gradient(forward, back), shapes=SMALL + LARGE),
        Case(f"{name}_forward far out", far, forward, f"{name}_forward", ("y",)),
        Case(f"{name}_backward", output_of(forward), back, f"{name}_backward", ("dx",), shapes=SMALL + LARGE),
    ]  # fmt: skip


STATISTICS, GRADIENTS = ("y", "mean", "var"), ("dx", "dgamma", "dbeta")

LAYERS = [
    Case("batch_norm_forward", scaled, oracles.batch_norm_forward, "batch_norm_forward", STATISTICS,
         op="batch_norm", tensors=3, gradient=batch_norm_gradient, shapes=SMALL + LARGE),
    Case("batch_norm_backward", backward, oracles.batch_norm_backward, "batch_norm_backward", GRADIENTS,
         shapes=SMALL + LARGE),
    Case("batch_norm_inference", with_statistics, oracles.batch_norm_inference, "batch_norm_inference", ("y",),
         op="batch_norm_inference", tensors=3, gradient=inference_gradient, shapes=SMALL + LARGE),
    Case("batch_norm_relu_forward", open_or_closed, oracles.batch_norm_relu_forward, "batch_norm_relu_forward",
         STATISTICS, op="batch_norm_relu", tensors=3, gradient=batch_norm_relu_gradient),
    Case("batch_norm_relu_backward", relu_backward, oracles.batch_norm_relu_backward, "batch_norm_relu_backward",
         GRADIENTS),
    Case("batch_norm_weighted_forward", weighted, oracles.batch_norm_weighted_forward,
         "batch_norm_weighted_forward", STATISTICS, shapes=SMALL + LARGE),
    Case("batch_norm_weighted_backward", weighted_backward, oracles.batch_norm_weighted_backward,
         "batch_norm_weighted_backward", GRADIENTS, shapes=SMALL + LARGE),
    Case("batch_norm_weighted on the tape", weights_last,
         lambda x, gamma, beta, weight, eps: oracles.batch_norm_weighted_forward(x, weight, gamma, beta, eps),
         op="batch_norm_weighted", tensors=3, gradient=batch_norm_weighted_gradient,
         play=lambda x, gamma, beta, weight, eps: autograd.batch_norm_weighted(x, weight, gamma, beta, eps)),
    Case("dense_forward", dense(True), oracles.dense_forward, "dense_forward", ("y",), op="dense", tensors=3,
         gradient=dense_gradient, shapes=SMALL + LARGE),
    Case("dense_forward no bias", dense_no_bias, oracles.dense_forward, "dense_forward", ("y",), op="dense",
         tensors=2, gradient=dense_gradient),
    Case("dense_backward", dense_backward, oracles.dense_backward, "dense_backward", ("dx", "dweight", "dbias"),
         shapes=SMALL + LARGE),
    *activation("relu"), *activation("sigmoid"), *activation("tanh"),
]  # fmt: skip


def cross_entropy(label, weighted, size=3.0):
    return Case(
        f"softmax_cross_entropy_forward {label}",
        logits(weighted, size),
        oracles.softmax_cross_entropy_forward,
        "softmax_cross_entropy_forward",
        ("probabilities",),
        returns=True,
        op="softmax_cross_entropy",
        gradient=cross_entropy_gradient,
    )


def cross_entropy_backward(label, weighted):
    name = "softmax_cross_entropy_backward"
    return Case(f"{name} {label}", probabilities(weighted), getattr(oracles, name), name, ("dlogits",))


def weighted_cross_entropy(label, classes):
    name = "softmax_cross_entropy_weighted"
    forward, back = getattr(oracles, f"{name}_forward"), getattr(oracles, f"{name}_backward")
    return [
        Case(f"{name}_forward {label}", rows_weighted(logits(classes)), forward, f"{name}_forward",
             ("probabilities",), returns=True, op=name, gradient=weighted_cross_entropy_gradient),
        Case(f"{name}_backward {label}", rows_weighted(probabilities(classes)), back, f"{name}_backward",
             ("dlogits",)),
    ]  # fmt: skip


def updates(label, kernel, inputs, changed):
    oracle = getattr(oracles, kernel.removesuffix("_inplace"))
    return Case(f"{kernel} {label}", inputs, oracle, kernel, changed=changed, cuda=1e-6)


STATE = [
    updates("unbiased", "update_running_stats_inplace", running(9, 0.1), (0, 1)),
    updates("biased", "update_running_stats_inplace", running(0, 0.1), (0, 1)),
    updates("momentum 0", "update_running_stats_inplace", running(9, 0.0), (0, 1)),
    updates("momentum 1", "update_running_stats_inplace", running(2, 1.0), (0, 1)),
    updates("plain", "sgd_update_inplace", sgd(0.0, False, 0.0, velocity=False), (0,)),
    updates("decay", "sgd_update_inplace", sgd(0.0, False, 0.01, velocity=False), (0,)),
    updates("momentum", "sgd_update_inplace", sgd(0.9, False, 0.0), (0, 2)),
    updates("nesterov", "sgd_update_inplace", sgd(0.9, True, 0.01), (0, 2)),
    updates("first", "adam_update_inplace", adam(1, 0.0), (0, 2, 3)),
    updates("later", "adam_update_inplace", adam(20, 0.01), (0, 2, 3)),
]

LOSSES = [
    cross_entropy("plain", False),
    cross_entropy("weighted", True),
    cross_entropy("far out", False, 300.0),
    cross_entropy_backward("plain", False),
    cross_entropy_backward("weighted", True),
    Case("squared_error_forward", pair, oracles.squared_error_forward, "squared_error_forward", returns=True,
         op="squared_error", tensors=2, gradient=squared_error_gradient),
    Case("squared_error_backward", pair, oracles.squared_error_backward, "squared_error_backward",
         ("dprediction",)),
    *weighted_cross_entropy("plain", False),
    *weighted_cross_entropy("class weights too", True),
    Case("squared_error_weighted_forward", weighted_pair, oracles.squared_error_weighted_forward,
         "squared_error_weighted_forward", returns=True, op="squared_error_weighted", tensors=2,
         gradient=weighted_squared_error_gradient),
    Case("squared_error_weighted_backward", weighted_pair, oracles.squared_error_weighted_backward,
         "squared_error_weighted_backward", ("dprediction",)),
]  # fmt: skip

CASES = [*LAYERS, *LOSSES, *STATE, *TAPE_ONLY]
KERNEL_CASES = [case for case in CASES if case.kernel]
OP_CASES = [case for case in CASES if case.op]


def grid(cases, shapes=SMALL + LARGE):
    """Parametrize a test by (case, shape, dtype), the shapes being those of the case among ``shapes``."""
    rows = [
        pytest.param(case, shape, dtype, id=f"{case.name}-{'x'.join(map(str, shape))}-{dtype.__name__}")
        for case in cases
        for shape, dtype in product(case.shapes, FLOATS)
        if shape in shapes
    ]
    return pytest.mark.parametrize(("case", "shape", "dtype"), rows)


def each(cases):
    """Parametrize a test by case."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def assert_close(actual, expected, tolerance):
    """Compare entry by entry, with an allowance that grows with the largest entry."""
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert np.shape(ours) == np.shape(theirs)
        scale = max(np.abs(theirs).max(), 1.0)
        np.testing.assert_allclose(np.asarray(ours, np.float64), theirs, rtol=0, atol=tolerance * scale)
