"""What batch norm does to a network, as properties of drawn networks and data."""

import numpy as np
from cases import EPS
from hypothesis import given, settings
from hypothesis import strategies as st

from minibn import functional as F
from minibn import nn
from minibn.autograd import Tensor, batch_norm, softmax_cross_entropy
from minibn.train import SGD, step

FEW = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(3, 12), st.integers(1, 6))
factors = st.floats(1e-3, 1e3)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def normalized(x, eps=0.0):
    return F.batch_norm_forward(x, np.ones(x.shape[1]), np.zeros(x.shape[1]), eps)


@FEW
@given(seeds, shapes, st.floats(-1e4, 1e4))
def test_a_shift_of_the_inputs_changes_nothing(seed, shape, shift):
    x = normal(seed, *shape)
    y, mean, var = normalized(x, EPS)
    shifted, shifted_mean, shifted_var = normalized(x + shift, EPS)
    np.testing.assert_allclose(shifted, y, atol=1e-7)
    np.testing.assert_allclose(shifted_mean, mean + shift, atol=1e-10)
    np.testing.assert_allclose(shifted_var, var, atol=1e-9)


@FEW
@given(seeds, shapes, factors)
def test_a_scale_of_the_inputs_changes_nothing(seed, shape, factor):
    x = normal(seed, *shape)
    np.testing.assert_allclose(normalized(factor * x)[0], normalized(x)[0], atol=1e-9)
    np.testing.assert_allclose(normalized(-factor * x)[0], -normalized(x)[0], atol=1e-9)
    np.testing.assert_allclose(normalized(factor * x, EPS * factor**2)[0], normalized(x, EPS)[0], atol=1e-9)


@FEW
@given(seeds, shapes)
def test_outputs_are_standardized(seed, shape):
    y, _, var = normalized(normal(seed, *shape), EPS)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((y**2).mean(axis=0), var / (var + EPS), rtol=1e-9)


@FEW
@given(seeds, shapes, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(seed, shape, random):
    x, dy = normal(seed, *shape), normal(seed + 1, *shape)
    order = random.sample(range(len(x)), len(x))
    ones = np.ones(shape[1])
    y, mean, var = normalized(x, EPS)
    moved, moved_mean, moved_var = normalized(x[order], EPS)
    np.testing.assert_allclose(moved, y[order], atol=1e-10)
    plain = F.batch_norm_backward(dy, x, ones, mean, var, EPS)
    other = F.batch_norm_backward(dy[order], x[order], ones, moved_mean, moved_var, EPS)
    np.testing.assert_allclose(other[0], plain[0][order], atol=1e-8)
    np.testing.assert_allclose(other[1], plain[1], atol=1e-10)


@FEW
@given(seeds, shapes, st.floats(-100, 100))
def test_a_constant_upstream_gives_no_gradient(seed, shape, constant):
    x, ones = normal(seed, *shape), np.ones(shape[1])
    _, mean, var = normalized(x, EPS)
    dx, dgamma, dbeta = F.batch_norm_backward(np.full(shape, constant), x, ones, mean, var, EPS)
    scale = 1 + abs(constant) / np.sqrt(var.min() + EPS)
    np.testing.assert_allclose(dx, 0, atol=1e-13 * scale * len(x))
    np.testing.assert_allclose(dgamma, 0, atol=1e-13 * scale * len(x))
    np.testing.assert_allclose(dbeta, constant * len(x), rtol=1e-12)


@FEW
@given(seeds, shapes)
def test_the_input_gradient_has_no_mean_and_no_slope(seed, shape):
    """dx is orthogonal to the constant and, at eps = 0, to the normalised input of each feature."""
    x, dy, ones = normal(seed, *shape), normal(seed + 1, *shape), np.ones(shape[1])
    y, mean, var = normalized(x)
    dx = F.batch_norm_backward(dy, x, ones, mean, var, 0.0)[0]
    scale = np.linalg.norm(dy, axis=0) / np.sqrt(var)
    assert (np.abs(dx.sum(axis=0)) <= 1e-11 * scale).all()
    assert (np.abs((dx * y).sum(axis=0)) <= 1e-11 * scale).all()


def loss_of(x, labels, weight):
    y = batch_norm(Tensor(x) @ weight, np.ones(weight.shape[1]), np.zeros(weight.shape[1]), 0.0)[0]
    return softmax_cross_entropy(y, labels)


@FEW
@given(seeds, st.integers(5, 12), st.integers(2, 5), st.integers(2, 4))
def test_the_gradient_is_orthogonal_to_weights_before_a_batch_norm(seed, rows, columns, classes):
    x, weight = normal(seed, rows, columns), Tensor(normal(seed + 1, columns, classes), requires_grad=True)
    labels = np.random.default_rng(seed).integers(0, classes, rows)
    loss_of(x, labels, weight).backward()
    products = np.abs((weight.grad * weight.data).sum(axis=0))
    sizes = np.linalg.norm(weight.grad, axis=0) * np.linalg.norm(weight.data, axis=0)
    assert (products <= 1e-9 * np.maximum(sizes, 1e-3)).all()


@FEW
@given(seeds, factors)
def test_the_gradient_shrinks_as_the_weights_grow(seed, factor):
    x, labels = normal(seed, 8, 3), np.random.default_rng(seed).integers(0, 2, 8)
    weight = normal(seed + 1, 3, 2)
    one, other = Tensor(weight, requires_grad=True), Tensor(factor * weight, requires_grad=True)
    loss_of(x, labels, one).backward()
    loss_of(x, labels, other).backward()
    np.testing.assert_allclose(other.grad * factor, one.grad, atol=1e-9 * max(np.abs(one.grad).max(), 1))


class ScaledWeights(SGD):
    """SGD with a learning rate of its own for the weights before the batch norm."""

    def __init__(self, learning_rate, factor):
        super().__init__(learning_rate)
        self.factor = factor

    def update(self, model):
        rate = self.learning_rate
        for layer, own in zip(model.layers, (rate * self.factor**2, rate, rate, rate), strict=True):
            self.learning_rate = own
            super().update(layer)
        self.learning_rate = rate


def trajectory(seed, factor, steps=8):
    """Losses of a network whose first weights are scaled by a factor and learn at its square."""
    model = nn.mlp([5, 4, 3], rng=seed, bn_eps=0.0, dtype=np.float64, activation="tanh")
    model.layers[0].weight.data *= factor
    x, labels = normal(seed, 24, 5), np.random.default_rng(seed).integers(0, 3, 24)
    optimizer, loss = ScaledWeights(0.1, factor), nn.SoftmaxCrossEntropy()
    return [step(model, loss, optimizer, x, labels).loss for _ in range(steps)]


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([1e-3, 0.1, 0.5, 3.0, 100.0]))
def test_scaled_weights_at_a_scaled_rate_learn_the_same(seed, factor):
    """At eps = 0 the losses of (aW, a^2 lr) are those of (W, lr)."""
    plain = trajectory(seed, 1.0)
    np.testing.assert_allclose(trajectory(seed, factor), plain, rtol=1e-7)
    assert plain[-1] < plain[0]
