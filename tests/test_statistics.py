"""Batch statistics where the mean is near zero, far from it, and between: which sums are taken must not show."""

import numpy as np
import pytest
from cases import FLOATS

from minibn.kernels.cpu.statistics import batch_statistics

SHAPES = [(2, 5), (33, 10), (600, 24), (3, 7, 40), (9, 2, 700)]
RATIOS = [0.0, 1.0, 14.0, 15.9, 16.1, 18.0, 100.0, 1e4]


def statistics(x):
    """Return mean and var of each channel, on outputs poisoned with NaN."""
    mean, var = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    batch_statistics(x, mean, var)
    return mean, var


def draw(shape, ratio, dtype=np.float32):
    """Return standard normal values, moved by ``ratio`` up or down in turn from channel to channel."""
    rng = np.random.default_rng([*shape, round(10 * ratio)])
    signs = np.where(np.arange(shape[1]) % 2, 1, -1).reshape(1, -1, *(1 for _ in shape[2:]))
    return (rng.standard_normal(shape) + ratio * signs).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("ratio", RATIOS)
def test_twelve_digits_of_the_variance(ratio, shape, dtype):
    x = draw(shape, ratio, dtype)
    axes = (0, *range(2, x.ndim))
    wide = x.astype(np.longdouble)
    expected = wide.mean(axis=axes, keepdims=True)
    squared = ((wide - expected) ** 2).mean(axis=axes)
    mean, var = statistics(x)
    np.testing.assert_allclose(var, squared.astype(float), rtol=1e-12)
    np.testing.assert_allclose(mean, expected.ravel().astype(float), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] > 2], ids=str)
@pytest.mark.parametrize("value", [3.3, 1e30])
def test_a_channel_does_not_see_how_its_neighbours_are_summed(value, shape):
    x = draw(shape, 1.0)
    alone = statistics(x)
    x[:, 1] = value
    beside = statistics(x)
    assert beside[0][1] == np.float32(value)
    assert beside[1][1] == 0
    others = np.arange(shape[1]) != 1
    for ours, theirs in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(ours[others], theirs[others])
