"""Batch norm over more than two axes and at any channel axis, and on several threads."""

import warnings

import numba
import numpy as np
import oracles
import pytest
from cases import EPS, FLOATS, TOLERANCE, assert_close, needs_jit

from minibn import functional as F
from minibn import kernels, nn
from minibn.autograd import Tensor, batch_norm_inference
from minibn.errors import ArgumentError, DtypeError, ShapeError

# A row that fits a table, one that does not, and channels longer than a table; two values per channel, and one.
SHAPES = [
    (4, 3, 5, 7), (6, 100, 7), (3, 600, 3), (2, 3, 9, 9, 9), (2, 1, 600), (1, 4, 2), (2, 5, 1), (1, 1, 1),
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    F.set_threads(1)
    yield
    F.set_threads(1)


def draw(shape, axis, dtype, seed=0):
    """Return x, gamma, beta and dy, with no output near the kink of a ReLU."""
    rng = np.random.default_rng([seed, *shape])
    channels = shape[axis]
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    return (
        x + dtype(3),
        rng.uniform(0.5, 2, channels).astype(dtype),
        rng.uniform(1, 2, channels).astype(dtype),
        dy,
    )


def by_rows(array, axis):
    """Return the array as (values, channels)."""
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


def back(rows, like, axis):
    moved = np.moveaxis(like, axis, -1)
    return np.moveaxis(np.asarray(rows).reshape(moved.shape), -1, axis)


def axes_of(shape):
    return [(shape, axis) for axis in range(-1, len(shape) - 1)]


@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), [pair for s in SHAPES for pair in axes_of(s)], ids=str)
def test_any_axis_equals_the_oracle(shape, axis, dtype, relu):
    x, gamma, beta, dy = draw(shape, axis, dtype)
    prefix = "batch_norm_relu" if relu else "batch_norm"
    oracle = getattr(oracles, f"{prefix}_forward")(by_rows(x, axis), gamma, beta, EPS)
    y, mean, var = getattr(F, f"{prefix}_forward")(x, gamma, beta, EPS, channel_axis=axis)
    assert_close([y, mean, var], [back(oracle[0], x, axis), *oracle[1:]], TOLERANCE[dtype])
    affine = (gamma, beta) if relu else (gamma,)
    dy[np.abs(y) < 1e-4] = 0
    gradients = getattr(F, f"{prefix}_backward")(dy, x, *affine, mean, var, EPS, channel_axis=axis)
    expected = getattr(oracles, f"{prefix}_backward")(
        by_rows(dy, axis), by_rows(x, axis), *affine, mean, var, EPS
    )
    assert gradients[0].shape == shape
    assert_close(gradients, [back(expected[0], x, axis), *expected[1:]], TOLERANCE[dtype])


@pytest.mark.parametrize(("shape", "axis"), [((4, 3, 5, 7), 1), ((4, 5, 7, 3), -1), ((3, 8), 0)], ids=str)
def test_inference_at_any_axis(shape, axis):
    x, gamma, beta, _ = draw(shape, axis, np.float64)
    mean, var = np.arange(shape[axis]) * 1.0, 1.0 + np.arange(shape[axis])
    expected = oracles.batch_norm_inference(by_rows(x, axis), gamma, beta, mean, var, EPS)[0]
    y = F.batch_norm_inference(x, gamma, beta, mean, var, EPS, channel_axis=axis)
    np.testing.assert_allclose(y, back(expected, x, axis), rtol=1e-12)


def test_constant_channel_of_images_gives_exactly_beta():
    x, gamma, beta, _ = draw((3, 4, 30, 30), 1, np.float32)
    x[:, 2] = 0.1
    y, mean, var = F.batch_norm_forward(x, gamma, beta, 0.0)
    assert (y[:, 2] == beta[2]).all()
    assert var[2] == 0
    assert mean[2] == np.float32(0.1)


@pytest.mark.parametrize("axis", [4, -5, 2**70])
def test_channel_axis_out_of_range(axis):
    with pytest.raises(ArgumentError, match=r"channel_axis must lie in \[-4, 4\), got"):
        F.batch_norm_forward(np.ones((2, 3, 4, 5)), np.ones(3), np.ones(3), channel_axis=axis)


@pytest.mark.parametrize("axis", [1.0, True, None, "1"])
def test_channel_axis_of_another_type(axis):
    with pytest.raises(DtypeError, match="channel_axis must be an integer, got"):
        F.batch_norm_forward(np.ones((2, 3)), np.ones(3), np.ones(3), channel_axis=axis)


def test_gamma_must_fit_the_channel_axis():
    with pytest.raises(ShapeError, match=r"gamma must have shape \(4,\), got \(3,\)"):
        F.batch_norm_forward(np.ones((2, 3, 4)), np.ones(3), np.ones(3), channel_axis=-1)


def test_layer_takes_images():
    layer, x = nn.BatchNorm(3, dtype=np.float64), np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    y = layer(Tensor(x, requires_grad=True))
    np.testing.assert_allclose(by_rows(y.data, 1).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(layer.running_var, 0.9 + 0.1 * by_rows(x, 1).var(axis=0, ddof=1))
    (y * y).sum().backward()
    assert layer.gamma.grad.shape == (3,)


def test_inference_gradient_of_images():
    x, gamma, beta, dy = draw((2, 3, 4, 5), 1, np.float64)
    mean, var = np.zeros(3), np.array([1.0, 2.0, 3.0])
    inputs = [Tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    (batch_norm_inference(*inputs, mean, var, EPS) * dy).sum().backward()
    rows = by_rows(dy, 1), by_rows(x, 1)
    expected = oracles.batch_norm_inference_backward(*rows, gamma, mean, var, EPS)
    for tensor, gradient in zip(inputs, [back(expected[0], x, 1), *expected[1:]], strict=True):
        np.testing.assert_allclose(tensor.grad, gradient, rtol=1e-9)


@needs_jit
@pytest.mark.parametrize("shape", [(2**17 + 3, 64), (2**20, 9), (20, 8, 250_000)], ids=str)
def test_outputs_beyond_the_caches(shape):
    """They are written by other instructions than small ones, with ends of rows of their own."""
    x, gamma, beta, _ = draw(shape, 1, np.float32)
    y, mean, var = F.batch_norm_forward(x, gamma, beta)
    dx, dgamma, _ = F.batch_norm_backward(x, x, gamma, mean, var)
    for part in (slice(0, 3), slice(-3, None)):
        few = by_rows(x[part], 1)
        expected = back(oracles.batch_norm_inference(few, gamma, beta, mean, var, EPS)[0], x[part], 1)
        np.testing.assert_allclose(y[part], expected, rtol=1e-5, atol=2e-6)
    assert not np.isnan(dx).any()
    assert np.abs(dx).max() < 1e-3  # dy = x is all mean and slope
    np.testing.assert_allclose(var, by_rows(x, 1).var(axis=0, dtype=np.float64), rtol=1e-9)
    assert dgamma.shape == gamma.shape


@needs_jit
@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("shape", [(5000, 64), (700, 600), (9, 40, 900)], ids=str)
def test_threads_give_the_same_bits(shape, relu, monkeypatch):
    monkeypatch.setattr("minibn.kernels.threads.SMALLEST", 0)
    x, gamma, beta, dy = draw(shape, 1, np.float32)
    prefix = "batch_norm_relu" if relu else "batch_norm"

    def everything():
        y, mean, var = getattr(F, f"{prefix}_forward")(x, gamma, beta)
        affine = (gamma, beta) if relu else (gamma,)
        gradients = getattr(F, f"{prefix}_backward")(dy, x, *affine, mean, var)
        return y, mean, var, *gradients, F.batch_norm_inference(x, gamma, beta, mean, var)

    serial = everything()
    for threads in (2, 3, 4):
        F.set_threads(threads)
        for ours, theirs in zip(everything(), serial, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_thread_setting():
    assert F.get_threads() == 1
    F.set_threads(2)
    assert F.get_threads() in (1, 2)  # 1 where OpenMP is missing
    for wrong, error in ((0, ArgumentError), (-1, ArgumentError), (2.0, DtypeError), (True, DtypeError)):
        with pytest.raises(error, match=r"^n must be .*, got .*; "):
            F.set_threads(wrong)


def test_threads_without_openmp_warn_and_stay_serial(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("minibn.kernels.threads.importlib.import_module", missing)
    with pytest.warns(RuntimeWarning, match="OpenMP"):
        F.set_threads(2)
    assert F.get_threads() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.set_threads(1)


@needs_jit
def test_kernels_refuse_strided_arrays():
    x = np.ones((6, 4))[:, ::2]
    with pytest.raises(numba.core.errors.TypingError, match="C-contiguous"):
        kernels.batch_norm_forward(x, np.ones(2), np.ones(2), EPS, np.empty((6, 2)), np.empty(2), np.empty(2))
