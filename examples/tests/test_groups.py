"""The three ways against plain NumPy in float64."""

import numba
import numpy as np
import pytest
from minibn_groups import fit_linear, normalize_groups, predict_in_threads

RNG = np.random.default_rng(0)


def batch_norm(x, gamma, beta, mean, var, eps=1e-5):
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def test_fitting_finds_a_linear_relation():
    x = RNG.standard_normal((64, 4))
    target = x @ RNG.standard_normal((4, 2)) + 3
    parameters, losses = fit_linear(x, target)
    z = x @ parameters["weight"]
    y = batch_norm(z, parameters["gamma"], parameters["beta"], z.mean(0), z.var(0))
    assert losses[-1] < 1e-3 < 1 < losses[0]
    assert np.mean((y - target) ** 2) <= 1.01 * losses[-1]


def test_groups_are_normalised_apart_with_the_same_bits_for_every_number_of_threads():
    x = RNG.standard_normal((7, 50, 3)) * 4 + 10
    gamma, beta = RNG.standard_normal((2, 3))
    results = []
    for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
        numba.set_num_threads(threads)
        results.append(normalize_groups(x, gamma, beta))
    mean, var = x.mean(axis=1), x.var(axis=1)
    expected = batch_norm(x, gamma, beta, mean[:, None], var[:, None])
    for ours, theirs in zip(results[0], (expected, mean, var), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    for other in results[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("threads", [1, 3])
def test_prediction_in_threads(threads):
    x, weight = RNG.standard_normal((100, 5)), RNG.standard_normal((5, 3))
    gamma, beta, mean = RNG.standard_normal((3, 3))
    var = RNG.random(3) + 0.5
    expected = np.maximum(batch_norm(x @ weight, gamma, beta, mean, var), 0)
    y = predict_in_threads(x, weight, gamma, beta, mean, var, threads=threads)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
