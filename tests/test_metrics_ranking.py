"""Precision-recall curve, average precision and threshold search against scikit-learn and by trying everything."""

import warnings

import numpy as np
import pytest

from minibn.errors import ArgumentError, ShapeError
from minibn.metrics import Threshold, average_precision, parse_goal, precision_recall_curve, threshold_for

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

LEVELS = [0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]  # few, so that scores tie
EXTREMES = [-1e308, -5e-324, 0.0, 5e-324, 1.0, 1.0 + 2**-52, 1e308]


@st.composite
def scored(draw):
    """Labels with at least one positive row, and scores of either precision, with ties or without."""
    labels = draw(st.lists(st.booleans(), min_size=1, max_size=40).filter(any))
    one = draw(
        st.sampled_from([st.sampled_from(LEVELS), st.sampled_from(EXTREMES), st.floats(0, 1, width=32)])
    )
    scores = draw(st.lists(one, min_size=len(labels), max_size=len(labels)))
    single = draw(st.booleans()) and max(map(abs, scores)) < 1e38
    return np.array(labels), np.array(scores, np.float32 if single else np.float64)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # scikit-learn's, between extreme scores
@hypothesis.given(scored())
@hypothesis.settings(max_examples=300, deadline=None)
def test_scikit_learn_agrees(drawn):
    peer = pytest.importorskip("sklearn.metrics")
    for ours, theirs in zip(precision_recall_curve(*drawn), peer.precision_recall_curve(*drawn), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert average_precision(*drawn) == pytest.approx(peer.average_precision_score(*drawn), rel=0, abs=1e-12)


def _tried(labels, scores):
    """Return (precision, recall, F1) at every threshold, the rows counted one by one."""
    figures = []
    for threshold in sorted(set(scores.tolist())):
        called = [bool(score >= threshold) for score in scores.tolist()]
        hits = sum(c and bool(y) for c, y in zip(called, labels, strict=True))
        misses, false = int(sum(labels)) - hits, sum(called) - hits
        figures.append(
            (hits / (hits + false), hits / (hits + misses), 2 * hits / (2 * hits + misses + false))
        )
    return figures


def _at(labels, scores, threshold):
    called = scores >= threshold
    return (labels & called).sum() / called.sum(), (labels & called).sum() / labels.sum()


@hypothesis.given(scored(), st.sampled_from(["recall", "precision"]), st.floats(0.01, 1))
@hypothesis.settings(max_examples=400, deadline=None)
def test_no_threshold_serves_a_goal_better(drawn, name, least):
    goal, at = f"{name}={least!r}", ("precision", "recall").index(name)
    reaching = [figures for figures in _tried(*drawn) if figures[at] >= least]
    if not reaching:
        with pytest.raises(ArgumentError, match=f"no threshold reaches {name}"):
            threshold_for(*drawn, goal)
        return
    found = threshold_for(*drawn, goal)
    other = 1 - at
    best = max(reaching, key=lambda figures: (figures[other], figures[at]))
    assert (found.precision, found.recall)[other] == pytest.approx(best[other], abs=1e-15)
    assert (found.precision, found.recall)[at] == pytest.approx(best[at], abs=1e-15)
    assert _at(*drawn, found.threshold) == pytest.approx((found.precision, found.recall), abs=1e-15)


@hypothesis.given(scored())
@hypothesis.settings(max_examples=200, deadline=None)
def test_no_threshold_has_a_better_f1(drawn):
    found = threshold_for(*drawn, "f1")
    assert found.f1 == pytest.approx(max(figures[2] for figures in _tried(*drawn)), abs=1e-15)
    assert _at(*drawn, found.threshold) == pytest.approx((found.precision, found.recall), abs=1e-15)


def test_by_hand():
    labels, scores = [1, 0, 1, 0, 0], [0.9, 0.8, 0.6, 0.4, 0.1]
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    assert thresholds.tolist() == [0.1, 0.4, 0.6, 0.8, 0.9]
    assert precision.tolist() == [2 / 5, 2 / 4, 2 / 3, 1 / 2, 1, 1]
    assert recall.tolist() == [1, 1, 1, 0.5, 0.5, 0]
    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3) / 2)
    assert threshold_for(labels, scores, "recall=0.8") == Threshold("recall=0.8", 0.5, 2 / 3, 1.0, 0.8)
    assert threshold_for(labels, scores, "precision=0.6").threshold == 0.5
    assert threshold_for(labels, scores, "recall=0.4").threshold == pytest.approx(0.85)


def test_scores_that_say_nothing_get_the_prevalence():
    labels = np.arange(1000) % 50 == 0
    assert average_precision(labels, np.full(1000, 0.3)) == labels.mean()
    random = np.mean([average_precision(labels, np.random.default_rng(k).random(1000)) for k in range(200)])
    assert random == pytest.approx(labels.mean(), abs=0.01)


def test_a_threshold_lies_between_scores_of_their_own_precision():
    """One unit in the last place apart, there is nothing between; the higher score itself still works."""
    scores = np.array([1.0, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    found = threshold_for([0, 1], scores, "recall=1")
    assert (scores >= found.threshold).tolist() == [False, True]
    assert (scores >= np.float32(found.threshold)).tolist() == [False, True]


@pytest.mark.parametrize("kind", [np.int64, bool])
def test_scores_may_be_whole_numbers(kind):
    scores = np.array([0, 1, 1], kind)
    assert average_precision([0, 1, 1], scores) == 1
    assert threshold_for([0, 1, 1], scores, "f1").threshold == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_scores_make_no_noise(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        largest = np.finfo(dtype).max
        found = threshold_for([0, 1], np.array([-largest, largest], dtype), "f1")
    assert found.threshold == 0


@pytest.mark.parametrize(
    ("labels", "scores", "error", "said"),
    [([1, 0], [0.5], ShapeError, "one shape"), ([[1], [0]], [[0.5], [0.1]], ShapeError, "one shape"),
     ([0, 0], [0.5, 0.1], ArgumentError, "at least one positive"), ([], [], ArgumentError, "at least one positive"),
     ([1, 2], [0.5, 0.1], ArgumentError, "True or 1"), (["a", "b"], [0.5, 0.1], ArgumentError, "True or 1"),
     ([1, 0], [0.5, np.nan], ArgumentError, "finite"), ([1, 0], [0.5, np.inf], ArgumentError, "finite"),
     ([1, 0], ["a", "b"], ArgumentError, "finite")],
)  # fmt: skip
def test_bad_rows_are_named(labels, scores, error, said):
    for call in (precision_recall_curve, average_precision, lambda y, s: threshold_for(y, s, "f1")):
        with pytest.raises(error, match=said):
            call(labels, scores)


@pytest.mark.parametrize(
    "goal", ["", "recall", "recall=", "recall=x", "recall=0", "recall=1.1", "recall=nan", "f1=0.5", "mcc=1", "=1", 0.5, None]
)  # fmt: skip
def test_bad_goals_are_named(goal):
    with pytest.raises(ArgumentError, match="goal of a threshold: expected"):
        parse_goal(goal)


def test_goals_are_read():
    assert [parse_goal(goal) for goal in ("recall=0.8", "precision=1", "f1")] == [
        ("recall", 0.8), ("precision", 1.0), ("f1", None)
    ]  # fmt: skip
