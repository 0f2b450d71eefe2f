"""Calls that ask for what is not there, and arrays that are wrong."""

import numpy as np
import pytest

from minibn.data import bundled, from_arrays, load
from minibn.errors import ArgumentError, DataError

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1] * 3)
GOOD = "a,b,c\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n"


def csv(folder, text):
    pytest.importorskip("pandas")
    (folder / "a.csv").write_text(text)
    return folder / "a.csv"


WRONG_CALLS = [
    ("no such target", {"target": "d"}, ["no column 'd'", "'a', 'b', 'c'"]),
    (
        "missing features",
        {"feature_names": ["a", "d", "e"]},
        ["missing feature columns: 'd', 'e'", "'a', 'b'"],
    ),
    ("no target left", {"feature_names": ["c", "a"]}, ["no column beside the features"]),
    ("target is a feature", {"target": "a", "feature_names": ["a"]}, ["'a' is both target and feature"]),
    ("unknown label", {"labels": [0, 2]}, ["target 'c'", "row 2", "label 1", "0, 2"]),
]


@pytest.mark.parametrize(("call", "fragments"), [c[1:] for c in WRONG_CALLS], ids=[c[0] for c in WRONG_CALLS])
def test_wrong_call(tmp_path, call, fragments):
    with pytest.raises(DataError) as caught:
        load(csv(tmp_path, GOOD), **call)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_two_columns_of_one_name(tmp_path):
    pytest.importorskip("pandas")
    arrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.Table.from_arrays(
        [arrow.array([1.0, 2.0])] * 2 + [arrow.array([0, 1])], names=["a", "a", "c"]
    )
    files.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="two columns are called 'a'"):
        load(tmp_path / "a.parquet")


@pytest.mark.parametrize("source", ["nothing", "nothing.csv", "nothing.npz", "", 3, None, X])
def test_missing_source_names_the_choices(source):
    with pytest.raises(
        DataError, match="example, example-hard, wine, digits, iris, breast-cancer.*csv.*npz.*parquet"
    ):
        load(source)


@pytest.mark.parametrize("name", ["a.parquet", "a"])
def test_folder_is_no_file(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="it is a folder, not a file; give the path of a file"):
        load(tmp_path / name)


def test_names_that_are_numbers(tmp_path):
    """What pandas calls the columns of a bare array, and wavelengths, are names; known features need no check."""
    assert load(csv(tmp_path, "0,1\n5,0\n6,1\n7,0\n8,1\n")).feature_names == ("0",)
    assert load(csv(tmp_path, "400.5,410.5,c\n5,5,0\n6,6,1\n7,7,0\n8,8,1\n")).feature_names[1] == "410.5"
    known = {"feature_names": ["400.5", "410.5"], "labels": [0, 1], "require_target": False}
    assert load(csv(tmp_path, "400.5,410.5\n5,5\n"), **known).x.shape == (1, 2)


def test_target_of_a_source_without_columns(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=Y)
    with pytest.raises(DataError, match="only CSV and Parquet"):
        load(path, target="Class")
    assert load(path, target="Class", feature_names=["a", "b"]).target == "y"


def test_unpickling_never_happens(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    trap = np.empty((6, 2), dtype=object)
    trap[:] = Trap()
    np.savez(tmp_path / "a.npz", x=trap, y=Y)
    with pytest.raises(DataError, match="never unpickled"):
        load(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


def test_too_few_rows_once_duplicates_are_gone(tmp_path):
    path = csv(tmp_path, "a,c\n1,0\n2,0\n3,1\n3,1\n")
    assert load(path).duplicate_rows == 1
    with pytest.raises(DataError, match=r"class 1 \(row 3\) has fewer than two"):
        load(path, drop_duplicates=True)


def test_too_wide_for_float64(tmp_path):
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is float64 here")
    x = np.full((6, 1), np.finfo(np.longdouble).max)
    with pytest.raises(DataError, match="row 1: inf is not finite"):
        from_arrays(x, Y)


@pytest.mark.parametrize("labels", [[], [1, 1]])
def test_known_labels_must_be_distinct(labels):
    with pytest.raises(ArgumentError, match="labels"):
        from_arrays(X, Y, labels=labels)


def test_mixed_labels():
    with pytest.raises(DataError, match="mixes kinds of label"):
        from_arrays(X, np.array([1, "a"] * 3, dtype=object))


def test_objects_among_arrays():
    with pytest.raises(DataError, match="column 'x1', row 1: 'a' is not a number"):
        from_arrays(np.array([[1, "a"], [2, None]] * 3, dtype=object), Y)


def test_no_such_bundled_set():
    with pytest.raises(DataError, match="wine, digits, iris, breast-cancer"):
        bundled("titanic")


@pytest.mark.parametrize("seed", [-1, 0.5, "a", None])
def test_bad_seed(seed):
    with pytest.raises(ArgumentError, match="seed"):
        load("example", seed=seed)


def test_labels_that_are_not_needed_are_left_out_when_unknown(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,c\n1,2,0\n3,4,1\n")
    data = load(path, labels=[0, 2], feature_names=["a", "b"], require_target=False)
    assert data.y is None
    assert data.labels == (0, 2)
