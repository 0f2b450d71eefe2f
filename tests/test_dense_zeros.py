"""Dense layers whose input is mostly zeros: the terms that are left out change no bit, and hide no NaN."""

import numpy as np
import pytest

from minibn.kernels import dense_backward, dense_forward

SHAPES = [(32, 32, 32), (45, 500, 33), (72, 64, 50)]  # rows, inputs, outputs


def some(shape, dtype, seed=0):
    """Return an input with zeros in margins and at random, weights, bias and upstream gradient."""
    rows, inputs, outputs = shape
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, inputs)) * (rng.random((rows, inputs)) < 0.1)
    x[:, : inputs // 3] = 0
    x[rows // 2 :, inputs // 2 :] = 0
    return [
        a.astype(dtype)
        for a in (x, *(rng.standard_normal(s) for s in ((inputs, outputs), outputs, (rows, outputs))))
    ]


def forward(x, weight, bias):
    y = np.empty((len(x), weight.shape[1]), x.dtype)
    dense_forward(x, weight, bias, y)
    return y


def backward(dy, x, weight):
    dweight, dbias = np.empty_like(weight), np.empty(weight.shape[1], x.dtype)
    dense_backward(dy, x, weight, np.empty((0, x.shape[1]), x.dtype), dweight, dbias)
    return dweight, dbias


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_right(shape, dtype):
    x, weight, bias, dy = some(shape, dtype)
    wide = [a.astype(np.float64) for a in (x, weight, bias, dy)]
    found = forward(x, weight, bias), *backward(dy, x, weight)
    for got, expected in zip(
        found, (wide[0] @ wide[1] + wide[2], wide[0].T @ wide[3], wide[3].sum(axis=0)), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=np.finfo(dtype).eps * 64 * abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_are_those_of_products_too_small_for_the_search(shape, dtype):
    x, weight, bias, dy = some(shape, dtype)
    rows = [forward(x[i : i + 16], weight, bias) for i in range(0, len(x), 16)]
    np.testing.assert_array_equal(forward(x, weight, bias), np.concatenate(rows))
    cut = [slice(j, j + 16) for j in range(0, weight.shape[1], 16)]
    parts = [backward(*(np.ascontiguousarray(a) for a in (dy[:, part], x, weight[:, part]))) for part in cut]
    dweight = np.concatenate([part for part, _ in parts], axis=1)  # dbias is no product
    np.testing.assert_array_equal(backward(dy, x, weight)[0], dweight)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_zero_times_what_is_not_finite_stays_visible(wrong):
    x, weight, bias, dy = some((64, 96, 40), np.float32)
    weight[0, 7] = wrong  # column 0 of x is 0 everywhere
    y = forward(x, weight, bias)
    assert np.isnan(y[:, 7]).all() and np.isfinite(np.delete(y, 7, axis=1)).all()
    dy[50, 3] = wrong
    x[50] = 0
    dweight, _ = backward(dy, x, weight)
    assert np.isnan(dweight[:, 3]).all() and np.isfinite(np.delete(dweight, 3, axis=1)).all()


def test_nan_in_the_input_is_no_zero():
    x, weight, bias, dy = some((64, 96, 40), np.float32)
    x[5, 0] = np.nan
    assert np.isnan(forward(x, weight, bias)[5]).all() and np.isnan(backward(dy, x, weight)[0][0]).all()


def test_an_input_of_zeros_gives_the_bias():
    x, weight, bias, dy = some((64, 96, 40), np.float32)
    x[...] = 0
    np.testing.assert_array_equal(forward(x, weight, bias), np.tile(bias, (64, 1)))
    assert not backward(dy, x, weight)[0].any()
