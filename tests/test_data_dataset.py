"""The sets that come by name, and the record that every set comes in."""

from dataclasses import replace

import numpy as np
import pytest

from minibn.data import BUNDLED, Dataset, bundled, from_arrays, load


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled(name):
    pytest.importorskip("sklearn")
    data = load(name)
    assert data.name == name
    assert data.digest == bundled(name).digest
    assert list(data.labels) == sorted(data.labels)
    assert np.unique(data.y).tolist() == list(range(len(data.labels)))
    assert data.x.shape[1] == len(data.feature_names)


def test_bundled_labels_follow_the_originals():
    datasets = pytest.importorskip("sklearn.datasets")
    original = datasets.load_breast_cancer()
    data = bundled("breast-cancer")
    assert data.labels == ("benign", "malignant")
    assert np.array_equal(np.array(data.labels)[data.y], original.target_names[original.target])
    assert bundled("digits").labels == tuple(range(10))
    assert type(bundled("digits").labels[0]) is int


def test_named_sources_match_features_by_name():
    data = load("example", feature_names=["x3", "x1"], labels=[2, 1, 0])
    whole = load("example")
    assert np.array_equal(data.x, whole.x[:, [3, 1]])
    assert np.array_equal(data.y, 2 - whole.y)
    assert np.array_equal(data.validation_rows, np.arange(1000, 2000))


def repeated(dtype=np.float32):
    x = np.array([[1, 2], [3, 4], [1, 2], [1, 2], [3, 4], [5, 6]], dtype=dtype)
    return Dataset("d", x, np.array([0, 1, 0, 1, 1, 0]), ("a", "b"), (0, 1), np.array([3, 4]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_duplicates_are_equal_in_features_and_label(dtype):
    data = repeated(dtype)
    assert data.duplicate_rows == 2
    kept = data.drop_duplicates()
    assert kept.x.tolist() == [[1, 2], [3, 4], [1, 2], [5, 6]]
    assert kept.y.tolist() == [0, 1, 1, 0]
    assert kept.validation_rows.tolist() == [2]
    assert kept.duplicate_rows == 0
    assert data.x.shape == (6, 2)


def test_negative_zero_equals_zero():
    assert Dataset("d", np.array([[0.0], [-0.0]]), np.zeros(2, int), ("a",), (0, 1)).duplicate_rows == 1


def test_a_validation_part_may_vanish():
    data = Dataset("d", np.ones((2, 1)), np.zeros(2, int), ("a",), (0,), np.array([1]))
    assert data.drop_duplicates().validation_rows is None


def test_duplicates_agree_with_pandas():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 3, (500, 4)).astype(np.float32), rng.integers(0, 2, 500)
    pandas = pytest.importorskip("pandas")
    expected = ~pandas.DataFrame(np.column_stack([x, y])).duplicated().to_numpy()
    data = from_arrays(x, y)
    assert np.array_equal(data.first_rows, np.flatnonzero(expected))
    assert data.duplicate_rows == 500 - expected.sum()


def changed(**fields):
    return replace(repeated(), **fields)


def test_digest_tells_content_from_name():
    digest = repeated().digest
    assert changed(name="other", target="t").digest == digest
    others = [
        changed(x=repeated().x + 1),
        changed(x=repeated().x.astype(np.float64)),
        changed(y=repeated().y[::-1]),
        changed(y=None),
        changed(feature_names=("a", "c")),
        changed(labels=("0", "1")),
        changed(validation_rows=None),
        changed(validation_rows=np.array([3, 5])),
    ]
    assert len({digest, *(data.digest for data in others)}) == 9


def test_digest_does_not_depend_on_memory_layout():
    assert changed(x=np.asfortranarray(repeated().x)).digest == repeated().digest


@pytest.mark.parametrize("validation", [None, [4, 5], [0, 1], [1, 4], [0, 5]], ids=str)
def test_rows_are_counted_within_their_part(validation):
    data = changed(x=np.zeros((6, 1)), validation_rows=None if validation is None else np.array(validation))
    places = [data.place(row) for row in range(6)]
    if validation is None:
        assert places == [f"row {k}" for k in range(1, 7)]
        return
    parts = {"test": validation, "training": [row for row in range(6) if row not in validation]}
    for part, rows in parts.items():
        assert [places[row] for row in rows] == [
            f"row {k} of the {part} part" for k in range(1, len(rows) + 1)
        ]
