"""Stratified splits and class weights."""

import numpy as np
import pytest

from minibn.data import class_weights, split
from minibn.errors import ArgumentError, DataError, ShapeError

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(lambda counts: max(counts) > 1)


@hypothesis.given(COUNTS, st.floats(0.001, 0.999), st.integers(0, 2**40))
@hypothesis.settings(max_examples=300, deadline=None)
def test_split(counts, fraction, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, validation = split(y, fraction, seed)
    assert train.dtype == validation.dtype == np.int64
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(validation) > 0)
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(y)))
    check_classes(np.array(counts), y[train], y[validation])
    check_total(np.array(counts), fraction, len(validation))


def check_classes(counts, train, validation):
    in_train = np.bincount(train, minlength=len(counts))
    in_validation = np.bincount(validation, minlength=len(counts))
    assert np.all(in_train[counts > 1] > 0)
    assert np.all(in_validation[counts > 1] > 0)
    assert not in_validation[counts == 1].any()


def check_total(counts, fraction, total):
    least, most = np.count_nonzero(counts > 1), np.maximum(counts - 1, 0).sum()
    assert total == np.clip(round(fraction * counts.sum()), least, most)


@hypothesis.given(st.lists(st.integers(20, 200), min_size=2, max_size=6), st.floats(0.1, 0.9))
@hypothesis.settings(max_examples=100, deadline=None)
def test_every_class_keeps_its_share(counts, fraction):
    y = np.repeat(np.arange(len(counts)), counts)
    _, validation = split(y, fraction, 0)
    assert np.abs(np.bincount(y[validation]) - fraction * np.array(counts)).max() < 1


@pytest.mark.parametrize(
    ("counts", "fraction", "expected"),
    [
        (
            [2] * 7 + [100],
            0.1,
            [1] * 7 + [4],
        ),  # the small classes' least rows come out of the large one's share
        ([2] * 7 + [100], 0.9, [1] * 7 + [96]),
        ([5, 5, 5], 0.3, [2, 1, 1]),  # 4.5 rounds to even; equal remainders go to the first class
        ([1, 1, 8], 0.5, [0, 0, 5]),
    ],
)
def test_shares_by_hand(counts, fraction, expected):
    y = np.repeat(np.arange(len(counts)), counts)
    _, validation = split(y, fraction, 0)
    assert np.bincount(y[validation], minlength=len(counts)).tolist() == expected


def test_split_depends_on_the_seed_alone():
    y = np.arange(300) % 3
    assert all(map(np.array_equal, split(y, 0.2, 5), split(y, 0.2, 5)))
    assert not np.array_equal(split(y, 0.2, 5)[1], split(y, 0.2, 6)[1])


def test_every_row_is_chosen_equally_often():
    y = np.arange(20) % 2
    chosen = np.zeros(20)
    for seed in range(1000):
        chosen[split(y, 0.3, seed)[1]] += 1
    assert np.abs(chosen / 1000 - 0.3).max() < 0.07


def test_labels_may_be_anything_that_sorts():
    y = np.array(["b", "a"] * 10)
    train, validation = split(y, 0.5, 0)
    assert np.unique(y[validation], return_counts=True)[1].tolist() == [5, 5]
    assert len(train) == 10


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, np.nan, "0.2", None, True, 0.2j])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ArgumentError, match="fraction"):
        split([0, 1, 0, 1], fraction, 0)


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match="seed"):
        split([0, 1, 0, 1], 0.5, seed)


@pytest.mark.parametrize("y", [[], [0], [0, 1, 2]])
def test_nothing_to_divide(y):
    with pytest.raises(DataError, match="no class has two rows"):
        split(y, 0.5, 0)


def test_labels_of_two_axes():
    with pytest.raises(ShapeError, match="shape"):
        split([[0, 1], [1, 0]], 0.5, 0)


def test_no_weights():
    assert class_weights(np.array([0, 1]), 2, None) is None


def test_balanced_weights_agree_with_scikit_learn():
    weights = pytest.importorskip("sklearn.utils.class_weight")
    y = np.repeat([0, 1, 2], [5, 1, 30])
    expected = weights.compute_class_weight("balanced", classes=np.arange(3), y=y)
    assert np.array_equal(class_weights(y, 3, "balanced"), expected)


@pytest.mark.parametrize("weight", [[1, 2.5, 0], (1, 2.5, 0), np.array([1, 2.5, 0]), {1: 2.5, 2: 0}])
def test_given_weights(weight):
    values = class_weights(np.array([0, 1, 2]), 3, weight)
    assert values.dtype == np.float64
    assert values.tolist() == [1.0, 2.5, 0.0]


@pytest.mark.parametrize(
    "weight", ["even", [1, 2], [[1, 2, 3]], [1, -1, 1], [1, np.inf, 1], [1, np.nan, 1], [0, 0, 0], {3: 1.0}, {"a": 1}, 5, [1, "b", 2]]
)  # fmt: skip
def test_bad_weights(weight):
    with pytest.raises(ArgumentError, match="class weights"):
        class_weights(np.array([0, 1, 2]), 3, weight)


@pytest.mark.parametrize("y", [[0, 0, 1], [0, 1, 2, 3]])
def test_balance_needs_rows_of_every_class(y):
    with pytest.raises(ArgumentError, match="balanced"):
        class_weights(np.array(y), 3, "balanced")
