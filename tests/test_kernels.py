"""Every kernel against the float64 oracle, and the exactness of batch norm at any mean and scale."""

import numba
import numpy as np
import oracles
import pytest
from cases import EPS, FLOATS, KERNEL_CASES, TOLERANCE, assert_close, grid, needs_jit

from minibn import kernels

SHAPES = [(2, 1), (3, 5), (32, 10), (1000, 10), (300, 600), (4096, 64)]
MEANS = [0.0, 1.0, -1.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7]
MEANS_OF_SHAPES = [(s, m) for s in SHAPES for m in (MEANS if np.prod(s) < 20_000 else (0.0, 1e4, 1e7))]
SCALES = [1e-15, 1e-8, 1e8, 1e15]


def skip_large_without_jit(shape):
    if numba.config.DISABLE_JIT and np.prod(shape) > 2000:
        pytest.skip("takes minutes without the compiler")


@grid(KERNEL_CASES)
def test_kernel_equals_oracle(case, shape, dtype):
    skip_large_without_jit(shape)
    inputs = case.make(shape, dtype)
    expected = case.expected(inputs)
    assert_close(case.run_kernel(inputs), expected, TOLERANCE[dtype])


@grid(KERNEL_CASES)
def test_kernel_leaves_inputs_as_they_were(case, shape, dtype):
    skip_large_without_jit(shape)
    inputs, before = case.make(shape, dtype), case.make(shape, dtype)
    case.run_kernel(inputs)
    for position, (value, original) in enumerate(zip(inputs, before, strict=True)):
        if position not in case.changed and isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, original, strict=True)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dense_by_blas_equals_oracle(dtype):
    from minibn.kernels.cpu.dense_blas import dense_backward_blas, dense_forward_blas

    rng = np.random.default_rng(0)
    x, weight, bias, dy = (rng.standard_normal(s).astype(dtype) for s in ((7, 5), (5, 3), 3, (7, 3)))
    y, dx, dweight, dbias = (np.full_like(a, np.nan) for a in (dy, x, weight, bias))
    dense_forward_blas(x, weight, bias, y)
    dense_backward_blas(dy, x, weight, dx, dweight, dbias)
    results = y, dx, dweight, dbias
    expected = oracles.dense_forward(x, weight, bias), *oracles.dense_backward(dy, x, weight)
    assert_close(
        results, [np.asarray(e[0] if isinstance(e, tuple) else e) for e in expected], TOLERANCE[dtype]
    )


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 16, 16), (9, 300, 17), (600, 3, 33), (17, 40, 520)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_dense_tiles_with_ragged_edges(shape, dtype):
    skip_large_without_jit(shape)
    rows, inputs, outputs = shape
    rng = np.random.default_rng(0)
    sizes = (rows, inputs), (inputs, outputs), outputs, (rows, outputs)
    x, weight, bias, dy = (rng.standard_normal(size).astype(dtype) for size in sizes)
    y, dx, dweight, dbias = (np.full_like(a, np.nan) for a in (dy, x, weight, bias))
    kernels.dense_forward(x, weight, bias, y)
    kernels.dense_backward(dy, x, weight, dx, dweight, dbias)
    wide = [a.astype(np.float64) for a in (x, weight, bias, dy)]
    expected = wide[0] @ wide[1] + wide[2], wide[3] @ wide[1].T, wide[0].T @ wide[3], wide[3].sum(axis=0)
    for result, value in zip((y, dx, dweight, dbias), expected, strict=True):
        assert np.abs(result - value).max() <= TOLERANCE[dtype] * max(np.abs(value).max(), 1.0)


def test_dense_rows_do_not_depend_on_the_batch():
    """Every entry is one sum in one order, however the product is cut into tiles."""
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s).astype(np.float32) for s in ((29, 20), (20, 19), 19))
    whole, alone = np.empty((29, 19), np.float32), np.empty((1, 19), np.float32)
    kernels.dense_forward(x, weight, bias, whole)
    for i in range(29):
        kernels.dense_forward(x[i : i + 1], weight, bias, alone)
        np.testing.assert_array_equal(alone[0], whole[i])


# batch norm, straight to the kernel


def play(x, gamma, beta, eps=EPS, relu=False):
    """Return y, mean, var of the kernel, on outputs poisoned with NaN."""
    kernel = kernels.batch_norm_relu_forward if relu else kernels.batch_norm_forward
    outputs = np.full_like(x, np.nan), np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    kernel(x, gamma, beta, eps, *outputs)
    return outputs


def play_backward(dy, x, gamma, beta, mean, var, eps=EPS, relu=False):
    """Return dx, dgamma, dbeta of the kernel, on outputs poisoned with NaN."""
    outputs = np.full_like(x, np.nan), np.full_like(gamma, np.nan), np.full_like(gamma, np.nan)
    if relu:
        kernels.batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, *outputs)
    else:
        kernels.batch_norm_backward(dy, x, gamma, mean, var, eps, *outputs)
    return outputs


def draw(shape, mean, scale=1.0, dtype=np.float32, seed=0):
    rng = np.random.default_rng([seed, *shape])
    x = ((rng.standard_normal(shape) + mean) * scale).astype(dtype)
    gamma, beta = rng.uniform(0.5, 2, shape[1]).astype(dtype), rng.standard_normal(shape[1]).astype(dtype)
    return x, gamma, beta, rng.standard_normal(shape).astype(dtype)


def assert_exact(y, y64):
    assert (np.abs(y - y64) <= 1e-6 * (1 + np.abs(y64))).all(), np.abs(y - y64).max()


def assert_near(gradient, expected, scale=0.0):
    """Compare in relative Euclidean norm; ``scale`` is a floor for results that cancel to nothing."""
    error = np.linalg.norm(np.asarray(gradient, np.float64) - expected)
    assert error <= 2e-5 * max(np.linalg.norm(expected), scale)


def check_exactness(x, gamma, beta, dy, eps, relu):
    """Compare forward and backward with the oracle on the same input."""
    y64, mean64, var64 = oracles.batch_norm_forward(x, gamma, beta, eps)
    y, mean, var = play(x, gamma, beta, eps, relu)
    assert_exact(y, np.maximum(y64, 0) if relu else y64)
    dy = np.where(np.abs(y64) > 1e-5, dy, 0).astype(x.dtype)  # no gradient at the kink
    masked = dy * (y64 > 0) if relu else dy
    expected = oracles.batch_norm_backward(masked, x, gamma, mean64, var64, eps)
    actual = play_backward(dy, x, gamma, beta, mean, var, eps, relu)
    for ours, theirs in zip(actual, expected, strict=True):
        assert_near(ours, theirs)


@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "mean"), MEANS_OF_SHAPES, ids=str)
def test_exact_at_any_mean(mean, shape, dtype, relu):
    skip_large_without_jit(shape)
    check_exactness(*draw(shape, mean, dtype=dtype), EPS, relu)


@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@pytest.mark.parametrize("mean", [0.0, 1e4, 1e7])
@pytest.mark.parametrize("scale", SCALES)
def test_exact_at_any_scale(scale, mean, shape, dtype, relu):
    skip_large_without_jit(shape)
    check_exactness(*draw(shape, mean, scale, dtype), EPS * scale**2, relu)


OUT_OF_RANGE = [(s, np.float32) for s in (1e-38, 1e-25, 1e25, 1e38)] + [
    (s, np.float64) for s in (1e-170, 1e170)
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", SHAPES[1:4], ids=str)
@pytest.mark.parametrize(("scale", "dtype"), OUT_OF_RANGE)
def test_beyond_the_range_nothing_is_finite_and_wrong(scale, dtype, shape):
    skip_large_without_jit(shape)
    x, gamma, beta, dy = draw(shape, 0.0, 1.0, dtype)
    x = np.clip(x, -3, 3) * dtype(scale)
    unscaled = oracles.f64(x) / scale  # in float64 the squares of x itself are out of range
    eps = EPS if dtype == np.float32 else 0.0
    y64, mean64, var64 = oracles.batch_norm_forward(unscaled, gamma, beta, eps)
    y, mean, var = play(x, gamma, beta, eps * scale * scale)
    seen = np.isfinite(y)
    assert_exact(y[seen], y64[seen])
    expected = oracles.batch_norm_backward(dy, unscaled, gamma, mean64, var64, eps)[0] / scale
    dx = play_backward(dy, x, gamma, beta, mean, var, eps * scale * scale)[0]
    seen = np.isfinite(dx)
    assert_near(dx[seen], expected[seen], np.linalg.norm(expected) * np.sqrt(seen.mean()))


@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("eps", [1e-5, 0.0])
@pytest.mark.parametrize("value", [0.0, 1e-30, 0.1, -3.3, 1e7, 1e30])
@pytest.mark.parametrize("rows", [1, 2, 3, 33])
def test_constant_feature_gives_exactly_beta(rows, value, eps, dtype, relu):
    x, gamma, beta, dy = draw((rows, 4), 0.0, dtype=dtype)
    beta = np.abs(beta)
    x[:, 1] = value
    y, mean, var = play(x, gamma, beta, eps, relu)
    assert mean[1] == dtype(value)
    assert var[1] == 0
    assert (y[:, 1] == beta[1]).all()
    dx, dgamma, dbeta = play_backward(dy, x, gamma, beta, mean, var, eps, relu)
    assert dgamma[1] == 0
    assert dbeta[1] == pytest.approx(dy[:, 1].sum(), rel=1e-5, abs=1e-6)
    if eps == 0:
        assert (dx[:, 1] == 0).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("relu", [False, True], ids=["plain", "relu"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 5])
def test_non_finite_feature_touches_no_other(row, bad, dtype, relu):
    x, gamma, beta, dy = draw((9, 6), 1.0, dtype=dtype)
    clean = play(x, gamma, beta, EPS, relu)
    clean_gradients = play_backward(dy, x, gamma, beta, *clean[1:], EPS, relu)
    x[row, 2] = bad
    broken = play(x, gamma, beta, EPS, relu)
    broken_gradients = play_backward(dy, x, gamma, beta, *broken[1:], EPS, relu)
    others = [0, 1, 3, 4, 5]
    for ours, theirs in zip([*broken, *broken_gradients], [*clean, *clean_gradients], strict=True):
        np.testing.assert_array_equal(ours[..., others], theirs[..., others])
    assert np.isnan(broken[0][:, 2]).all()
    assert not np.isfinite(broken[2][2])
    assert np.isnan(broken_gradients[0][:, 2]).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_outlier_in_the_first_row(dtype):
    x, gamma, beta, dy = draw((1000, 10), 0.0, dtype=dtype)
    skip_large_without_jit(x.shape)
    x[0] = 1e7
    check_exactness(x, gamma, beta, dy, EPS, relu=False)


# activations at the ends


@pytest.mark.parametrize("dtype", FLOATS)
def test_activations_at_the_ends(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38], dtype)
    expected = {
        "relu": [np.nan, np.inf, 0, 0, 0, dtype(3e38)],
        "sigmoid": [np.nan, 1, 0, 0.5, 0.5, 1],
        "tanh": [np.nan, 1, -1, 0, 0, 1],
    }
    for name, values in expected.items():
        y = np.full_like(x, 7)
        getattr(kernels, f"{name}_forward")(x, y)
        np.testing.assert_array_equal(y, np.array(values, dtype), err_msg=name)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("upstream", [np.inf, -np.inf, np.nan])
def test_closed_unit_stops_any_gradient(upstream, dtype):
    y, dx = np.array([0.0, 2.0, np.nan], dtype), np.full(3, 7, dtype)
    kernels.relu_backward(np.full(3, upstream, dtype), y, dx)
    np.testing.assert_array_equal(dx, np.array([0, upstream, upstream], dtype))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (2, 3, 4)], ids=str)
def test_activations_take_any_shape(shape):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape))
    y, dx = np.full(shape, np.nan), np.full(shape, np.nan)
    kernels.tanh_forward(x, y)
    kernels.tanh_backward(np.ones(shape), y, dx)
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-15)
    np.testing.assert_allclose(dx, 1 - np.tanh(x) ** 2, atol=1e-15)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_cross_entropy_shows_a_broken_row_and_only_that(bad):
    logits = np.random.default_rng(0).standard_normal((3, 4))
    logits[1, 2] = bad
    probabilities, labels = np.full((3, 4), 7.0), np.array([0, 2, 3])
    loss = kernels.softmax_cross_entropy_forward(logits, labels, None, probabilities)
    assert not np.isfinite(loss)
    np.testing.assert_allclose(probabilities[[0, 2]].sum(axis=1), 1)
    if bad != -np.inf:
        assert np.isnan(probabilities[1]).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_dense_backward_without_dx_or_dbias(dtype):
    rng = np.random.default_rng(0)
    for rows in (3, 300):
        dy, x = rng.standard_normal((rows, 4)).astype(dtype), rng.standard_normal((rows, 5)).astype(dtype)
        weight, dweight = np.ones((5, 4), dtype), np.full((5, 4), np.nan, dtype)
        kernels.dense_backward(dy, x, weight, None, dweight, None)
        assert_close([dweight], [oracles.dense_backward(dy, x, weight)[1]], TOLERANCE[dtype])


# memory

LOOP = """
    import numpy as np
    from numba import njit
    from numba.core.runtime import rtsys
    from minibn import kernels as K

    forward, backward, inference = K.batch_norm_forward, K.batch_norm_backward, K.batch_norm_inference
    relu_forward, relu_backward = K.batch_norm_relu_forward, K.batch_norm_relu_backward

    @njit
    def loop(times, x, gamma, beta, y, mean, var, dgamma, dbeta):
        for _ in range(times):
            forward(x, gamma, beta, 1e-5, y, mean, var)
            relu_forward(x, gamma, beta, 1e-5, y, mean, var)
            inference(x, gamma, beta, mean, var, 1e-5, y)
            backward(x, x, gamma, mean, var, 1e-5, y, dgamma, dbeta)
            relu_backward(x, x, gamma, beta, mean, var, 1e-5, y, dgamma, dbeta)

    def allocations(times, arrays):
        before = rtsys.get_allocation_stats().alloc
        loop(times, *arrays)
        return rtsys.get_allocation_stats().alloc - before

    for dtype in (np.float32, np.float64):
        x, column = np.random.randn(40, 600).astype(dtype), np.ones(600, dtype)
        arrays = x, column, column, x.copy(), np.zeros(600), np.ones(600), column.copy(), column.copy()
        loop(1, *arrays)
        kept = rtsys.get_allocation_stats().alloc
        assert kept > 0, "the counters are off"
        print(allocations(1, arrays), allocations(100, arrays))
"""


@needs_jit
@pytest.mark.subprocess
def test_batch_norm_kernels_allocate_nothing(python):
    for line in python(LOOP, NUMBA_NRT_STATS="1").splitlines():
        once, hundred_times = map(int, line.split())
        assert hundred_times == once
