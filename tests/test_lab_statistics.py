"""Intervals, verdicts and Holm's rule, against SciPy and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from minibn.errors import ShapeError
from minibn.lab import (
    Difference,
    holm,
    mean_interval,
    paired_difference,
    ratio_interval,
    spread_ratio,
    verdict,
)

FIGURES = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


@given(st.data(), FIGURES)
def test_intervals_equal_those_of_scipy(data, first):
    second = data.draw(st.lists(st.floats(-100, 100), min_size=len(first), max_size=len(first)))
    differences = np.subtract(first, second)
    if np.ptp(differences) < 1e-6:
        return
    found = paired_difference(first, second)
    theirs = stats.ttest_rel(first, second)
    interval = theirs.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, theirs.pvalue))
    half = stats.sem(differences) * stats.t.ppf(0.975, len(differences) - 1)
    assert found.mean == pytest.approx(differences.mean())
    assert found.high - found.mean == pytest.approx(half, abs=1e-9)
    assert (found.wins, found.n) == (int((differences > 0).sum()), len(differences))


def test_identical_arms_differ_by_nothing():
    found = paired_difference([90.0, 91.5, 88.0], [90.0, 91.5, 88.0])
    assert found == Difference(0.0, 0.0, 0.0, 0, 3, 1.0)
    assert verdict(found) == "no difference"


def test_a_constant_difference_has_an_interval_without_width():
    found = paired_difference([3.0, 4.0], [1.0, 2.0])
    assert (found.mean, found.low, found.high, found.p) == (2.0, 2.0, 2.0, 0.0)


def test_one_pair_has_no_interval():
    found = paired_difference([91.0], [90.0])
    assert (found.mean, found.low, found.high) == (1.0, None, None)
    assert verdict(found) == "cannot tell"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.9, 0.9, "no difference"), (0.1, 0.9, "no difference"), (0.1, 1.1, "helps"), (-3, -0.1, "hurts"),
     (-0.1, 1.1, "cannot tell"), (-1.0, 0.5, "cannot tell"), (1.0, 2.0, "helps"), (0.0, 3.0, "cannot tell")],
)  # fmt: skip
def test_verdicts(low, high, said):
    assert verdict(Difference((low + high) / 2, low, high, 5, 10, 0.5)) == said


@pytest.mark.parametrize(
    ("first", "second"),
    [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]]), ([np.inf], [1.0]), ([np.nan], [1.0])],
)
def test_figures_that_cannot_be_compared(first, second):
    with pytest.raises(ShapeError, match="first and second"):
        paired_difference(first, second)


def test_mean_and_ratio_intervals():
    values = [1.0, 2.0, 4.0]
    interval = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert mean_interval(values) == pytest.approx((np.mean(values), *interval))
    assert mean_interval([3.0]) == (3.0, None, None)
    assert ratio_interval([6.0], [2.0]) == (pytest.approx(3.0), None, None)
    middle, low, high = ratio_interval([2.0, 8.0], [1.0, 2.0])
    assert middle == pytest.approx(np.sqrt(2 * 4))
    assert low < middle < high
    assert ratio_interval([2.0, 4.0], [1.0, 2.0]) == pytest.approx((2.0, 2.0, 2.0))


def test_spread_ratio_inverts_the_test_of_pitman_and_morgan():
    rng = np.random.default_rng(0)
    second = rng.standard_normal(12)
    first = 0.4 * second + 1.7 * rng.standard_normal(12)
    ratio, low, high = spread_ratio(first, second)
    assert ratio == pytest.approx(first.std() / second.std())
    for end in (low, high):  # where the second is scaled by an end, the two variances only just differ
        scaled = second * end
        p = stats.pearsonr(first + scaled, first - scaled).pvalue
        assert p == pytest.approx(0.05, rel=1e-6)
    assert spread_ratio(first, first) == pytest.approx((1.0, 1.0, 1.0))
    assert spread_ratio([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert spread_ratio([1.0, 2.0], [1.0, 3.0]) is None


def test_holm_by_hand():
    # Ascending: .01 <= .05/4, .013 <= .05/3, .03 > .05/2: it and all after it fail.
    assert holm([0.03, 0.01, 0.04, 0.013]) == [False, True, False, True]
    assert holm([0.001, None, 0.04]) == [True, False, True]
    assert holm([]) == []
    assert holm([0.06]) == [False]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_bonferroni_and_no_correction(p):
    found = holm(p)
    for value, significant in zip(p, found, strict=True):
        assert significant or value > 0.05 / len(p)
        assert not significant or value <= 0.05
