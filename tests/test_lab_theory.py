"""Two exact theories: invariance to the scale of weights, and the growth of gradients at initialization."""

import math

import numpy as np
import oracles
import pytest
from cases import JIT, needs_jit

from minibn.lab.studies import scale_invariance
from minibn.lab.studies.gradient_growth import growth, linear_rate, relu_rate, squared_gradients
from minibn.lab.studies.scale_invariance import IDENTITIES, TOLERANCE, identities
from minibn.nn import mlp


@pytest.fixture(autouse=True)
def short_without_the_compiler(monkeypatch):
    if not JIT:
        monkeypatch.setattr(scale_invariance, "STEPS", 3)
        monkeypatch.setattr(scale_invariance, "HIDDEN", (8, 8))


def rows(seed=0, n=24 if JIT else 8, features=6):
    rng = np.random.default_rng(seed)
    return 3.0 + rng.standard_normal((n, features)), rng.integers(0, 3, n)


@pytest.mark.parametrize("seed", [0, 1])
def test_every_identity_holds_to_rounding_without_eps(seed):
    found = identities(*rows(seed), seed, 0.0)
    assert set(found) == set(IDENTITIES)
    assert 0 < max(found.values()) < TOLERANCE


def test_eps_gives_the_weights_a_scale():
    found = identities(*rows(), 0, 1e-5)
    assert min(found.values()) > 1e-9
    assert found["L(aW) = L(W)"] > 1e-3


def test_without_batch_norm_no_identity_holds(monkeypatch):
    def plain(x, y, seed, eps):
        return mlp((x.shape[1], 8, 8, 3), bn=False, rng=np.random.default_rng(seed), dtype=np.float64)

    monkeypatch.setattr(scale_invariance, "_network", plain)
    monkeypatch.setattr(scale_invariance, "FACTORS", (0.5, 2.0))
    assert min(identities(*rows(), 0, 0.0).values()) > 1e-6


@needs_jit
def test_the_compared_trajectories_do_learn():
    x, y = rows()
    losses = scale_invariance._train(scale_invariance._network(x, y, 0, 0.0), x, y, lambda step: 0.1)
    assert losses[-1] < 0.7 * losses[0]


def arc_cosine(c):
    """E[relu(u) relu(v)] and E[relu'(u) relu'(v)] over Gaussians of correlation c, over those at c = 1, by quadrature."""
    nodes = np.linspace(-8, 8, 1600)  # an even number: none at the kink
    weights = np.exp(-(nodes**2) / 2)
    grid = np.add.outer(c * nodes, math.sqrt(1 - c * c) * nodes)
    mass = np.outer(weights, weights) / weights.sum() ** 2
    u = nodes[:, None]
    kernel = np.sum(mass * np.maximum(u, 0) * np.maximum(grid, 0))
    slope = np.sum(mass * (u > 0) * (grid > 0))
    return 2 * kernel, 2 * slope


@pytest.mark.parametrize(("batch", "published"), [(8, 1.788), (16, 1.590), (32, 1.522), (64, 1.493), (256, 1.473)])  # fmt: skip
def test_the_formula_of_the_growth(batch, published):
    """Its two functions by quadrature; to three digits as a simulation elsewhere tabulated it."""
    kernel, slope = arc_cosine(-1 / (batch - 1))
    expected = (slope + (batch - 1)) / ((batch - 3) * (1 - kernel)) - 1 / (batch - 3)
    assert relu_rate(batch) == pytest.approx(expected, rel=2e-3)
    assert relu_rate(batch) == pytest.approx(published, abs=6e-4)


def test_the_limit_of_large_batches():
    assert relu_rate(10**7) == pytest.approx(math.pi / (math.pi - 1), rel=1e-6)
    assert linear_rate(10**7) == pytest.approx(1, rel=1e-6)


@needs_jit
@pytest.mark.parametrize(("activation", "batch"), [("relu", 8), ("linear", 8), ("relu", 16), ("relu", 32)])
def test_growth_is_what_theory_gives(activation, batch):
    theory = {"relu": relu_rate, "linear": linear_rate}[activation](batch)
    found = [growth(squared_gradients(batch, activation=activation, width=512, seed=seed)) for seed in (0, 1)]
    assert np.mean(found) == pytest.approx(theory, rel=0.03)


def naive_squared_gradients(batch, width, depth, seed, eps, bn):
    rng = np.random.default_rng([seed, batch])
    x, steps = rng.standard_normal((batch, width)), []
    for _ in range(depth):
        weight = rng.standard_normal((width, width)) * math.sqrt(2 / width)
        h = np.maximum(x, 0) @ weight
        steps.append((x, weight, h))
        x = (h - h.mean(0)) / np.sqrt(h.var(0) + eps) if bn else h
    dy = rng.standard_normal((batch, width))
    norms = [np.sum(dy**2)]
    for x, weight, h in reversed(steps):
        if bn:
            mean, var = h.mean(0), h.var(0)
            dy = oracles.batch_norm_backward(dy, h, np.ones(width), mean, var, eps)[0]
        dy = (dy @ weight.T) * (x > 0)
        norms.append(np.sum(dy**2))
    return norms[::-1]


@pytest.mark.parametrize("bn", [True, False])
def test_squared_gradients_are_those_of_a_naive_network(bn):
    expected = naive_squared_gradients(6, 10, 4, seed=3, eps=1e-3, bn=bn)
    found = squared_gradients(6, width=10, depth=4, seed=3, eps=1e-3, bn=bn)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_growth_is_a_rate_per_layer_towards_the_input():
    assert growth(1.7 ** np.arange(20.0)[::-1], edge=3) == pytest.approx(1.7)
