"""Batch norm on CUDA: exact at any mean, ragged shapes, both layouts, the same bits in every run."""

import device
import numpy as np
import oracles
import pytest

from minibn.kernels import cuda
from minibn.kernels.cuda import positions

EPS = 1e-5
# Fewer rows than a block has, channels that are no multiple of 4, several tiles, slabs with and without a rest.
RAGGED = [
    (2, 1),
    (1, 4),
    (37, 5),
    (47, 20),
    (50, 20),
    (64, 8),
    (33, 20),
    (19, 70),
    (5, 300),
    (130, 4),
    (128, 12),
]
PLANES = [(2, 3, 2), (1, 2, 5), (3, 5, 7), (4, 3, 16), (5, 2, 36), (9, 4, 4), (1, 1, 150), (40, 2, 3)]


def draw(shape, mean=0.0, seed=0):
    rng = np.random.default_rng([seed, *shape])
    x, dy = (
        (rng.standard_normal(shape) + mean).astype(np.float32),
        rng.standard_normal(shape).astype(np.float32),
    )
    gamma, beta = rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])
    return x, gamma.astype(np.float32), beta.astype(np.float32), dy


def rows(array):
    """Return an (N, C, L) array as (N L, C)."""
    return array if array.ndim == 2 else np.moveaxis(array, 1, 2).reshape(-1, array.shape[1])


def play(x, gamma, beta, eps=EPS, relu=False):
    """Return y, mean and var of the device's kernel, float64, on outputs poisoned with NaN."""
    kernel = cuda.batch_norm_relu_forward if relu else cuda.batch_norm_forward
    y, mean, var = device.poisoned(*x.shape), device.poisoned(2, x.shape[1]), device.poisoned(x.shape[1])
    kernel(*map(cuda.to_device, (x, gamma, beta)), eps, y, mean, var)
    return y.copy_to_host(), cuda.mean_to_host(mean), cuda.var_to_host(var)


def play_backward(dy, x, gamma, beta, mean, var, eps=EPS, relu=False):
    outputs = device.poisoned(*x.shape), device.poisoned(x.shape[1]), device.poisoned(x.shape[1])
    dy, x, gamma, beta = map(cuda.to_device, (dy, x, gamma, beta))
    statistics = cuda.mean_to_device(mean), cuda.var_to_device(var)
    if relu:
        cuda.batch_norm_relu_backward(dy, x, gamma, beta, *statistics, eps, *outputs)
    else:
        cuda.batch_norm_backward(dy, x, gamma, *statistics, eps, *outputs)
    return [output.copy_to_host() for output in outputs]


def assert_near(gradient, expected):
    """Compare in relative Euclidean norm."""
    error = np.linalg.norm(np.asarray(gradient, np.float64) - expected)
    assert error <= 2e-5 * max(np.linalg.norm(expected), 1e-3)


def check(x, gamma, beta, dy, eps=EPS, relu=False):
    y64, mean64, var64 = oracles.batch_norm_forward(rows(x), gamma, beta, eps)
    y, mean, var = play(x, gamma, beta, eps, relu)
    target = np.maximum(y64, 0) if relu else y64
    assert (np.abs(rows(y) - target) <= 1e-5 * (1 + np.abs(target))).all()
    assert (np.abs(mean - mean64) <= 1e-6 * (np.abs(mean64) + np.sqrt(var64))).all()
    np.testing.assert_allclose(var, var64, rtol=1e-6, atol=1e-12)
    dy = np.where(np.abs(y64) > 1e-4, rows(dy), 0).astype(np.float32)  # no gradient at the kink
    expected = oracles.batch_norm_backward(dy * (y64 > 0) if relu else dy, rows(x), gamma, mean64, var64, eps)
    if x.ndim == 3:
        dy = np.ascontiguousarray(np.moveaxis(dy.reshape(x.shape[0], x.shape[2], x.shape[1]), 2, 1))
    dx, dgamma, dbeta = play_backward(dy, x, gamma, beta, mean, var, eps, relu)
    for ours, theirs in zip((rows(dx), dgamma, dbeta), expected, strict=True):
        assert_near(ours, theirs)


@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("shape", RAGGED + PLANES, ids=str)
def test_forward_and_backward_equal_the_oracle(shape, relu):
    check(*draw(shape, 3.0), relu=relu)


@pytest.mark.parametrize("mean", [0.0, -1.0, 1e2, 1e4, 1e6, 1e7])
@pytest.mark.parametrize("shape", [(2, 3), (150, 8), (60, 3, 4)], ids=str)
def test_exact_at_any_mean(shape, mean):
    check(*draw(shape, mean))


@pytest.mark.parametrize("shape", [(150, 8), (60, 3, 4)], ids=str)
def test_exact_after_an_outlying_first_value(shape):
    x, gamma, beta, dy = draw(shape, 1.0)
    x[0] = 1000
    check(x, gamma, beta, dy)


@pytest.mark.parametrize("eps", [1e-5, 0.0])
@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e7, 1e30])
@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (33, 4), (130, 4)], ids=str)
def test_constant_feature_gives_exactly_beta(shape, value, eps):
    x, gamma, beta, dy = draw(shape)
    x[:, 1] = value
    y, mean, var = play(x, gamma, beta, eps)
    assert (mean[1], var[1]) == (np.float32(value), 0)
    assert (y[:, 1] == beta[1]).all()
    dx, dgamma, _ = play_backward(dy, x, gamma, beta, mean, var, eps)
    assert dgamma[1] == 0
    assert eps or (dx[:, 1] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_finite_stays_in_its_channel_and_visible(bad):
    x, gamma, beta, _ = draw((50, 8))
    x[20, 2] = bad
    y, mean, _ = play(x, gamma, beta, relu=True)
    assert np.isnan(y[20, 2])
    assert not np.isfinite(mean[2])
    assert np.isfinite(np.delete(y, 2, axis=1)).all()


@pytest.mark.parametrize("threads", [1, 7, 32])
@pytest.mark.parametrize("shape", [(61, 8), (61, 3), (5, 3, 8)], ids=str)
def test_any_number_of_threads_gives_the_same_answer(shape, threads, monkeypatch):
    monkeypatch.setattr(positions, "THREADS", threads)
    check(*draw(shape))


@pytest.mark.parametrize("shape", [(61, 8), (5, 3, 8)], ids=str)
def test_data_between_multiples_of_16_bytes(shape):
    x, gamma, beta, _ = draw(shape)
    given = cuda.to_device(np.concatenate([np.zeros(1, np.float32), x.ravel()]))[1:].reshape(shape)
    y, mean, var = device.poisoned(*shape), device.poisoned(2, shape[1]), device.poisoned(shape[1])
    cuda.batch_norm_forward(given, *map(cuda.to_device, (gamma, beta)), EPS, y, mean, var)
    expected = oracles.batch_norm_forward(rows(x), gamma, beta, EPS)[0]
    assert np.abs(rows(y.copy_to_host()) - expected).max() < 1e-5


@pytest.mark.parametrize("shape", [(130, 8), (9, 4, 12)], ids=str)
def test_every_run_gives_the_same_bits(shape):
    """Blocks of the simulator run in another order each time, those of a GPU anyway."""
    data = draw(shape, 3.0)
    first = play(*data[:3])
    for _ in range(4):
        for ours, theirs in zip(play(*data[:3]), first, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    once = play_backward(data[3], *data[:3], *first[1:])
    for ours, theirs in zip(play_backward(data[3], *data[:3], *first[1:]), once, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_running_statistics_stay_exact_over_many_batches():
    rng = np.random.default_rng(0)
    ours = cuda.mean_to_device(np.zeros(4)), cuda.var_to_device(np.ones(4))
    theirs = np.zeros(4), np.ones(4)
    for _ in range(60):
        mean, var = 1e5 + rng.standard_normal(4), rng.uniform(1, 2, 4)
        cuda.update_running_stats_inplace(*ours, cuda.mean_to_device(mean), cuda.var_to_device(var), 32, 0.1)
        theirs = oracles.update_running_stats(*theirs, mean, var, 32, 0.1)
    np.testing.assert_allclose(cuda.mean_to_host(ours[0]), theirs[0], rtol=1e-6)
    np.testing.assert_allclose(cuda.var_to_host(ours[1]), theirs[1], rtol=1e-6)


def test_a_mean_survives_the_way_to_the_device_and_back():
    mean = np.array([1e7 + 1 / 3, -1 / 3, 0.0, 1e-20])
    np.testing.assert_allclose(cuda.mean_to_host(cuda.mean_to_device(mean)), mean, rtol=1e-14)
