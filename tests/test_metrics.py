"""Metrics against scikit-learn, and by hand."""

import json

import numpy as np
import pytest

from minibn import metrics
from minibn.errors import ArgumentError, ShapeError

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:sklearn")  # a peer's remarks on empty classes


@st.composite
def pairs(draw):
    """True and predicted classes out of K, of which some may be empty."""
    size = draw(st.integers(1, 6))
    index = st.integers(0, size - 1)
    both = draw(st.lists(st.tuples(index, index), min_size=1, max_size=60))
    return size, *np.array(both).T


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@hypothesis.given(pairs())
@hypothesis.settings(max_examples=300, deadline=None)
def test_scikit_learn_agrees(drawn):
    peer = pytest.importorskip("sklearn.metrics")
    size, true, predicted = drawn
    labels = list(range(size))
    matrix = metrics.confusion_matrix(true, predicted, size)
    assert np.array_equal(matrix, peer.confusion_matrix(true, predicted, labels=labels))
    close(metrics.accuracy(matrix), peer.accuracy_score(true, predicted))
    close(metrics.balanced_accuracy(matrix), peer.balanced_accuracy_score(true, predicted))
    close(metrics.matthews_correlation(matrix), peer.matthews_corrcoef(true, predicted))


@hypothesis.given(pairs(), st.sampled_from([0.0, 1.0]))
@hypothesis.settings(max_examples=200, deadline=None)
def test_scikit_learn_agrees_class_by_class(drawn, zero_division):
    peer = pytest.importorskip("sklearn.metrics")
    size, true, predicted = drawn
    matrix = metrics.confusion_matrix(true, predicted, size)
    expected = peer.precision_recall_fscore_support(
        true, predicted, labels=list(range(size)), zero_division=zero_division
    )
    for ours, theirs in zip(metrics.precision_recall_f1(matrix, zero_division), expected, strict=True):
        close(ours, theirs)


@hypothesis.given(pairs())
@hypothesis.settings(max_examples=200, deadline=None)
def test_scikit_learn_agrees_on_averages(drawn):
    peer = pytest.importorskip("sklearn.metrics")
    size, true, predicted = drawn
    summary = metrics.summarize(metrics.confusion_matrix(true, predicted, size))
    for average in ("macro", "weighted"):
        expected = peer.precision_recall_fscore_support(
            true, predicted, labels=list(range(size)), average=average, zero_division=0
        )
        close(list(summary[average].values()), expected[:3])
    close(summary["majority_baseline"], np.bincount(true).max() / len(true))


HAND = [[90, 10], [15, 85]]


def test_by_hand():
    summary = metrics.summarize(HAND)
    assert summary["precision"] == 17 / 19
    assert summary["recall"] == 17 / 20
    assert summary["f1"] == 34 / 39
    assert summary["accuracy"] == 0.875
    assert summary["balanced_accuracy"] == 0.875
    assert summary["majority_baseline"] == 0.5
    assert summary["positive"] == 1
    assert summary["confusion_matrix"] == HAND
    assert [entry["support"] for entry in summary["per_class"]] == [100, 100]


@pytest.mark.parametrize(
    ("labels", "positive", "precision"),
    [
        (None, None, 17 / 19),
        (["ill", "well"], "ill", 90 / 105),
        (["ill", "well"], "well", 17 / 19),
        ([3, 4], 3, 90 / 105),
        ([3, 4], "3", 90 / 105),
        ([False, True], "False", 90 / 105),
    ],
)
def test_positive_class(labels, positive, precision):
    summary = metrics.summarize(HAND, labels, positive)
    assert summary["precision"] == precision
    assert summary["positive"] == (summary["labels"][1] if positive is None else match(labels, positive))


def match(labels, positive):
    return next(label for label in labels if str(label) == str(positive))


def test_more_classes_take_macro_averages():
    summary = metrics.summarize([[5, 1, 0], [0, 4, 0], [2, 0, 3]], ["a", "b", "c"])
    assert summary["positive"] is None
    for name in ("precision", "recall", "f1"):
        assert summary[name] == summary["macro"][name]
    assert [entry["label"] for entry in summary["per_class"]] == ["a", "b", "c"]


def test_summary_is_plain():
    summary = metrics.summarize(np.array(HAND), np.array(["no", "yes"]))
    assert json.loads(json.dumps(summary)) == summary
    assert list(summary) == [
        "accuracy", "balanced_accuracy", "majority_baseline", "precision", "recall", "f1", "mcc",
        "confusion_matrix", "labels", "per_class", "macro", "weighted", "positive",
    ]  # fmt: skip


def test_undefined_values_count_as_zero_division():
    never_predicted = [[3, 0], [2, 0]]
    assert metrics.precision_recall_f1(never_predicted)[0][1] == 0
    assert metrics.precision_recall_f1(never_predicted, 1.0)[0][1] == 1
    assert metrics.summarize(never_predicted)["mcc"] == 0


def test_correlation_at_its_ends():
    assert metrics.matthews_correlation(np.diag([3, 4, 5])) == 1
    assert metrics.matthews_correlation([[0, 3], [3, 0]]) == -1
    assert metrics.matthews_correlation([[4]]) == 0


def test_large_counts_do_not_overflow():
    billions = np.array(HAND) * 10**9
    assert metrics.matthews_correlation(billions) == pytest.approx(
        metrics.matthews_correlation(HAND), rel=1e-14
    )


def test_classes_default_to_the_largest_index():
    assert metrics.confusion_matrix([0, 1], [2, 1]).tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert metrics.confusion_matrix([True, False], [True, True]).tolist() == [[0, 1], [0, 1]]
    assert metrics.confusion_matrix([], [], 2).dtype == np.int64


@pytest.mark.parametrize(
    ("true", "predicted", "classes", "error"),
    [
        ([0, 1], [0], None, ShapeError),
        ([[0, 1]], [[0, 1]], None, ShapeError),
        ([0, -1], [0, 1], None, ArgumentError),
        ([0, 1], [0, 2], 2, ArgumentError),
        ([0.0, 1.0], [0, 1], None, ArgumentError),
        (["a"], ["b"], None, ArgumentError),
        ([0], [0], 0, ArgumentError),
        ([0], [0], 1.5, ArgumentError),
        ([], [], None, ArgumentError),
    ],
)
def test_wrong_pairs(true, predicted, classes, error):
    with pytest.raises(error):
        metrics.confusion_matrix(true, predicted, classes)


MEASURES = [
    metrics.accuracy,
    metrics.balanced_accuracy,
    metrics.majority_baseline,
    metrics.matthews_correlation,
    metrics.precision_recall_f1,
    metrics.summarize,
]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("matrix", "error"),
    [
        ([[0, 0], [0, 0]], ArgumentError),
        ([[1, -1], [0, 1]], ArgumentError),
        ([[0.5, 0.5], [0, 1]], ArgumentError),
        ([[1, 2]], ShapeError),
        ([1, 2], ShapeError),
        (np.zeros((0, 0), int), ShapeError),
    ],
)
def test_wrong_matrix(measure, matrix, error):
    with pytest.raises(error):
        measure(matrix)


def test_wrong_labels():
    with pytest.raises(ShapeError, match="expected 2"):
        metrics.summarize(HAND, ["a"])
    with pytest.raises(ArgumentError, match=r"\['no', 'yes'\]"):
        metrics.summarize(HAND, ["no", "yes"], "maybe")
    with pytest.raises(ArgumentError, match="two classes"):
        metrics.summarize(np.eye(3, dtype=int), positive=1)


@pytest.mark.parametrize(
    ("labels", "positive", "index"),
    [([0, 1], "1.0", 1), ([0, 1], 1.0, 1), ([1, 10], "1e1", 1), ([0, 1], "0", 0), (["a", "b"], "a", 0),
     ([False, True], "True", 1), (["1", "2"], 1, 0)],
)  # fmt: skip
def test_the_positive_label_is_matched_by_value_text_or_number(labels, positive, index):
    assert metrics.summarize([[3, 1], [2, 4]], labels, positive)["positive"] == labels[index]


@pytest.mark.parametrize(
    ("labels", "positive"), [([0, 1], "1.5"), (["1", "2"], "1.0"), ([False, True], "1.0")]
)
def test_an_unknown_positive_label_is_named(labels, positive):
    with pytest.raises(ArgumentError, match="expected one of the labels"):
        metrics.summarize([[3, 1], [2, 4]], labels, positive)


def test_more_than_two_classes_have_no_positive_one():
    with pytest.raises(
        ArgumentError, match="only of two classes one can be positive, got 2 for 3 classes; leave"
    ):
        metrics.summarize(np.eye(3, dtype=int), positive=2)
