"""Probes and tape-only layers of the lab against naive NumPy."""

import copy

import numpy as np
import pytest

from minibn.autograd import Tensor, gradcheck
from minibn.errors import ArgumentError
from minibn.lab.layers.layer_norm import LayerNorm, with_layer_norm
from minibn.lab.layers.noise import ShiftNoise, with_noise
from minibn.lab.probes import covariate_shift, walk
from minibn.nn import BatchNorm, Dense, ReLU, Sequential, mlp

RATE = 0.3


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((9, 4)), rng.integers(0, 3, 9)


def linear_network():
    rng = np.random.default_rng(5)
    layers = (
        Dense(4, 5, bias=False, rng=rng, dtype=np.float64),
        Dense(5, 3, bias=False, rng=rng, dtype=np.float64),
    )
    return Sequential(*layers), [layer.weight.data.copy() for layer in layers]  # fmt: skip


def naive(x, y, first, second):
    """Loss and both gradients of softmax(x @ first @ second)."""
    hidden = x @ first
    logits = hidden @ second
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    d = (p - np.eye(3)[y]) / len(y)
    return loss, x.T @ (d @ second.T), hidden.T @ d


def test_walk():
    (x, y), (model, (first, second)) = rows(), linear_network()
    before = model.state_dict()
    found = walk(model, x, y, RATE, factors=(1.0, 3.0))
    loss, *gradient = naive(x, y, first, second)
    losses, distances, slopes = [], [], []
    for factor in (1.0, 3.0):
        there, *other = naive(x, y, *(w - factor * RATE * g for w, g in zip((first, second), gradient, strict=True)))  # fmt: skip
        distance = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(gradient, other, strict=True)))
        length = factor * RATE * np.sqrt(sum(np.sum(g**2) for g in gradient))
        losses, distances, slopes = [*losses, there], [*distances, distance], [*slopes, distance / length]
    assert found.loss == pytest.approx(loss)
    assert found.loss_range == pytest.approx(abs(losses[0] - losses[1]))
    assert found.gradient_distance == pytest.approx(max(distances))
    assert found.smoothness == pytest.approx(max(slopes))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_covariate_shift():
    (x, y), (model, (first, second)) = rows(), linear_network()
    found = covariate_shift(model, x, y, RATE)
    _, of_first, old = naive(x, y, first, second)
    _, _, new = naive(x, y, first - RATE * of_first, second)  # the layer's own weights stay
    assert found.distance == pytest.approx(np.linalg.norm(new - old) / np.linalg.norm(old))
    assert found.cosine == pytest.approx(np.sum(new * old) / np.linalg.norm(new) / np.linalg.norm(old))


def test_probes_leave_running_statistics_alone():
    x, y = rows()
    model = mlp((4, 6, 6, 3))
    before = copy.deepcopy(model.state_dict())
    walk(model, x, y, RATE)
    covariate_shift(model, x, y, RATE)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_walk_into_infinity_is_told_and_warns_of_nothing(recwarn):
    x, y = rows()
    found = walk(mlp((4, 6, 6, 3), bn=False), x, y, 1e30)
    assert not np.isfinite([found.loss_range, found.gradient_distance]).all()
    assert not recwarn.list


# noise


def test_noise_scales_and_shifts_within_its_ranges():
    x = np.linspace(-2, 2, 5000).reshape(-1, 2)
    shifts, scales = [], []
    for seed in range(40):
        y = ShiftNoise(seed)(Tensor(x), training=True).data
        scale, shift = np.polyfit(x.ravel(), y.ravel(), 1)
        shifts, scales = [*shifts, shift], [*scales, scale]
    assert -0.52 < min(shifts) < -0.3 and 0.3 < max(shifts) < 0.52
    assert 0.98 < min(scales) < 1.05 and 1.2 < max(scales) < 1.27
    residual = y - (scale * x + shift)
    assert np.std(residual[np.abs(x) < 0.1]) == pytest.approx(0.1 / np.sqrt(3), rel=0.15)
    assert np.std(residual[np.abs(x) > 1.9]) == pytest.approx(np.hypot(0.1 / np.sqrt(3), 0.195), rel=0.15)


def test_noise_is_new_in_each_batch_and_absent_in_evaluation():
    layer, x = ShiftNoise(0), np.ones((3, 2), np.float32)
    first, second = (layer(x, training=True).data for _ in range(2))
    assert first.dtype == np.float32
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer(x, training=False).data, x)


def test_gradient_of_noise():
    x = Tensor(rows()[0], requires_grad=True)
    assert gradcheck(lambda x: ShiftNoise(7)(x, training=True), [x])  # a new layer draws the same noise


@pytest.mark.parametrize(("bn", "after"), [(True, "BatchNorm"), (False, "Dense")])
def test_noise_stands_before_each_activation(bn, after):
    model = mlp((4, 6, 6, 3), bn=bn)
    names = [type(layer).__name__ for layer in with_noise(model, 0).layers]
    assert names.count("ShiftNoise") == 2
    for position, name in enumerate(names):
        if name == "ShiftNoise":
            assert (names[position - 1], names[position + 1]) == (after, "ReLU")
    assert with_noise(model, 0).layers[0] is model.layers[0]


# layer norm


def layer():
    made = LayerNorm(4, 1e-3, dtype=np.float64)
    made.gamma.data[...], made.beta.data[...] = [0.5, 2, -1, 1], [1, 0, 3, -2]
    return made


def test_layer_norm_normalises_each_row():
    x, own = 5 + rows()[0], layer()
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3)
    for training in (True, False):
        np.testing.assert_allclose(
            own(x, training).data, expected * own.gamma.data + own.beta.data, atol=1e-12
        )


def test_gradients_of_layer_norm():
    own = layer()
    inputs = [Tensor(5 + rows()[0], requires_grad=True), own.gamma, own.beta]
    assert gradcheck(lambda x, gamma, beta: own(x), inputs)
    assert gradcheck(lambda x: own(x), [Tensor(rows()[0][:1], requires_grad=True)])


def test_layer_norm_takes_the_place_of_batch_norm():
    model = mlp((4, 6, 3), bn_eps=1e-4)
    turned = with_layer_norm(model)
    assert [type(one) for one in turned.layers] == [Dense, LayerNorm, ReLU, Dense]
    assert turned.layers[1].eps == 1e-4 and turned.layers[0] is model.layers[0]
    assert isinstance(model.layers[1], BatchNorm)
    assert set(turned.layers[1].parameters()) == {"weight", "bias"}
    with pytest.raises(ArgumentError, match="features must be at least 1"):
        LayerNorm(0)
