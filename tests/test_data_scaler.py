"""The scaler against its formula in float64."""

import json

import numpy as np
import pytest

from minibn.data import Scaler, blocks
from minibn.errors import ArgumentError, DataError, DtypeError, ShapeError


def columns(dtype=np.float64, rows=400):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 5)) * [1, 1e3, 1e-3, 10, 1] + [0, 5, -2, 1e3, 0.1]
    return (np.abs(x) % 256).astype(dtype)


@pytest.fixture(params=[1 << 18, 64])
def block_elements(request, monkeypatch):
    monkeypatch.setattr(blocks, "ELEMENTS", request.param)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, np.bool_])
@pytest.mark.usefixtures("block_elements")
def test_fit_is_mean_and_population_deviation(dtype):
    x = columns(dtype)
    scaler, wide = Scaler.fit(x), x.astype(np.float64)
    np.testing.assert_allclose(scaler.mean, wide.mean(axis=0), rtol=1e-13)
    expected = wide.std(axis=0)
    np.testing.assert_allclose(scaler.scale, np.where(expected > 0, expected, 1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [0.0, 2.5])
@pytest.mark.usefixtures("block_elements")
def test_transform_is_the_formula_rounded_once(dtype, shift):
    x = columns(np.float32)
    before = x.copy()
    scaler = Scaler.fit(x, shift)
    expected = (x.astype(np.float64) - scaler.mean) / scaler.scale + shift
    out = scaler.transform(np.asfortranarray(x), dtype)
    assert out.dtype == dtype
    assert out.flags.c_contiguous
    assert np.array_equal(out, expected.astype(dtype))
    assert np.array_equal(x, before)


def test_default_is_float32():
    assert Scaler.fit(columns()).transform(columns()).dtype == np.float32


@pytest.mark.parametrize("value", [0.1, -1e-300, 3e38, 1e7 + 0.3])
def test_constant_column_is_only_centred(value):
    x = np.full((1001, 1), value)
    scaler = Scaler.fit(x)
    assert scaler.scale.tolist() == [1.0]
    assert scaler.mean.tolist() == [value]
    assert not scaler.transform(x, np.float64).any()


def test_far_from_zero_the_deviation_keeps_its_digits():
    rng = np.random.default_rng(1)
    noise = rng.integers(-8, 9, (1000, 1)) / 8.0
    np.testing.assert_allclose(Scaler.fit(noise + 2.0**40).scale, noise.std(axis=0), rtol=1e-12)


def test_an_outlier_in_the_first_row_does_no_harm():
    x = np.concatenate([[[1e9]], columns()[:, :1]])
    np.testing.assert_allclose(Scaler.fit(x).mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(Scaler.fit(x).scale, x.std(axis=0), rtol=1e-12)


def test_one_row_is_centred():
    assert not Scaler.fit(columns()[:1]).transform(columns()[:1]).any()


def test_identity_only_casts():
    x = columns(np.uint8)
    scaler = Scaler.identity(5)
    assert np.array_equal(scaler.transform(x), x.astype(np.float32))
    x = np.asfortranarray(columns(np.float32))
    out = scaler.transform(x)
    assert np.array_equal(out, x)
    assert out.flags.c_contiguous
    assert not np.shares_memory(out, x)
    assert np.array_equal(
        Scaler.identity(5, 0.5).transform(x), (x.astype(np.float64) + 0.5).astype(np.float32)
    )


def test_json_keeps_every_bit():
    scaler = Scaler.fit(columns(), 0.1)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert np.array_equal(again.mean, scaler.mean)
    assert np.array_equal(again.scale, scaler.scale)
    assert again.shift == scaler.shift


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Scaler.fit(np.ones(3)), ShapeError, "(N, C)"),
        (lambda: Scaler.fit(np.ones((0, 3))), ShapeError, "at least one row"),
        (lambda: Scaler.fit(np.array([["a"]])), DtypeError, "numbers"),
        (lambda: Scaler.fit(np.array([[1.0, 1.0], [1.0, np.nan]])), DataError, "feature 1"),
        (lambda: Scaler.fit(np.array([[1e300], [-1e300]])), DataError, "feature 0"),
        (lambda: Scaler.identity(3).transform(np.ones((2, 4))), ShapeError, "expected 3 features"),
        (lambda: Scaler.identity(3).transform(np.ones((2, 3)), np.int64), DtypeError, "float32 or float64"),
        (lambda: Scaler(np.ones(2), np.ones(3)), ShapeError, "one shape"),
        (lambda: Scaler(np.ones(2), np.zeros(2)), ArgumentError, "scale above 0"),
        (lambda: Scaler(np.ones(2), np.ones(2), np.inf), ArgumentError, "finite"),
        (lambda: Scaler.from_dict({"mean": [1.0]}), ArgumentError, "scale"),
        (lambda: Scaler.from_dict({"mean": None, "scale": {}, "shift": 0}), ArgumentError, "numbers"),
    ],
)
def test_wrong_input(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
