"""Reading files and arrays that are in order."""

import subprocess
import sys

import numpy as np
import pytest

from minibn.data import from_arrays, load
from minibn.errors import DataError


def numbers(rows=12, columns=3, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(dtype)


def classes(rows=12, names=("no", "yes")):
    return np.array(names)[np.arange(rows) % len(names)]


def frame(x, y, target="Class"):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(x, columns=[f"V{i}" for i in range(x.shape[1])])
    table[target] = y
    return table


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".parquet"])
def test_table_round_trip(tmp_path, suffix):
    path, x, y = tmp_path / f"mine{suffix}", numbers(), classes()
    write_frame(frame(x, y), path)
    data = load(path)
    assert np.array_equal(data.x, x)
    assert data.x.dtype == np.float64
    assert data.x.flags.c_contiguous
    assert data.labels == ("no", "yes")
    assert np.array_equal(data.y, np.arange(12) % 2)
    assert data.y.dtype == np.int64
    assert data.feature_names == ("V0", "V1", "V2")
    assert (data.name, data.target, data.validation_rows) == ("mine", "Class", None)


def write_frame(table, path):
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.float64, np.float64),
        (np.uint8, np.uint8),
        (np.bool_, np.uint8),
        (np.int8, np.float64),
        (np.int64, np.float64),
        (">f4", np.float32),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_dtype_stays_compact(tmp_path, given, kept, suffix):
    if suffix == ".parquet" and given == ">f4":
        pytest.skip("Parquet has no byte order")
    x, path = np.abs(4 * numbers()).astype(given), tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, x=x, y=classes())
    else:
        write_frame(frame(x, classes()), path)
    data = load(path)
    assert data.x.dtype == np.dtype(kept)
    assert data.x.dtype.isnative
    assert np.array_equal(data.x, x)


def test_mixed_columns_take_a_dtype_that_holds_all(tmp_path):
    table = frame(numbers(dtype=np.float32), np.arange(12) % 2)
    table["V1"] = np.arange(12, dtype=np.uint8)
    write_frame(table, tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet").x.dtype == np.float32
    table["V1"] = np.arange(12)
    write_frame(table, tmp_path / "b.parquet")
    assert load(tmp_path / "b.parquet").x.dtype == np.float64


def test_objects_that_are_numbers_are_read(tmp_path):
    from decimal import Decimal

    table = frame(numbers(), classes())
    table["V1"] = [Decimal(i) / 4 for i in range(12)]
    write_frame(table, tmp_path / "a.parquet")
    assert np.array_equal(load(tmp_path / "a.parquet").x[:, 1], np.arange(12) / 4)


def test_target_by_name(tmp_path):
    write_frame(frame(numbers(), classes())[["V0", "Class", "V1"]], tmp_path / "a.csv")
    data = load(str(tmp_path / "a.csv"), target="Class")
    assert data.feature_names == ("V0", "V1")
    assert data.target == "Class"


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([3, 1] * 6, (1, 3)),
        ([3.0, 1.0] * 6, (1, 3)),
        ([True, False] * 6, (False, True)),
        (["b", "a"] * 6, ("a", "b")),
        ([b"b", b"a"] * 6, ("a", "b")),
        ([[3], [1]] * 6, (1, 3)),
        (np.array([3, 1] * 6, dtype=np.uint8), (1, 3)),
    ],
)
def test_label_kinds(tmp_path, y, labels):
    np.savez(tmp_path / "a.npz", x=numbers(), y=np.array(y))
    data = load(tmp_path / "a.npz")
    assert data.labels == labels
    assert [type(label) for label in data.labels] == [type(label) for label in labels]
    assert np.array_equal(data.y, [1, 0] * 6)


@pytest.mark.parametrize("kind", ["category", "string", "bool", "Int64"])
def test_label_columns_of_pandas(tmp_path, kind):
    table = frame(numbers(), np.arange(12) % 2)
    if kind in ("category", "string"):
        table["Class"] = table["Class"].map({0: "no", 1: "yes"})
    table["Class"] = table["Class"].astype(kind)
    write_frame(table, tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet")
    assert np.array_equal(data.y, np.arange(12) % 2)
    assert data.labels in (("no", "yes"), (False, True), (0, 1))


def images(rows, seed):
    return np.random.default_rng(seed).integers(0, 256, (rows, 4, 5), dtype=np.uint8)


def test_npz_with_a_test_part(tmp_path):
    train, test, digits = images(20, 0), images(10, 1), np.arange(20, dtype=np.uint8) % 10
    np.savez(tmp_path / "images.npz", x_train=train, y_train=digits, x_test=test, y_test=digits[:10])
    data = load(tmp_path / "images.npz")
    assert data.x.dtype == np.uint8
    assert np.array_equal(data.x, np.concatenate([train, test]).reshape(30, 20))
    assert np.array_equal(data.validation_rows, np.arange(20, 30))
    assert data.validation_rows.dtype == np.int64
    assert np.array_equal(data.training_rows, np.arange(20))
    assert data.feature_names[-1] == "x19"
    assert data.labels == tuple(range(10))


def test_npz_train_part_alone(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x_train=numbers(), y_train=classes())
    data = load(tmp_path / "a.npz")
    assert data.validation_rows is None
    assert (data.name, data.target) == ("a", "y")


def test_npz_feature_names_match_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", x=numbers(), y=classes(), feature_names=["a", "b", "c"])
    data = load(tmp_path / "a.npz", feature_names=["c", "a"])
    assert np.array_equal(data.x, numbers()[:, [2, 0]])
    assert data.feature_names == ("c", "a")


def test_npz_without_names_matches_by_number(tmp_path):
    np.savez(tmp_path / "a.npz", x=numbers(), y=classes())
    assert load(tmp_path / "a.npz", feature_names=["p", "q", "r"]).feature_names == ("p", "q", "r")
    with pytest.raises(DataError, match="expected 2 features, got 3"):
        load(tmp_path / "a.npz", feature_names=["p", "q"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_features_of_a_model_match_by_name(tmp_path, suffix):
    table = frame(numbers(), classes())
    table.insert(0, "id", [f"row {i}" for i in range(12)])
    write_frame(table, tmp_path / f"a{suffix}")
    data = load(tmp_path / f"a{suffix}", target="Class", feature_names=["V2", "V0"], labels=["yes", "no"])
    assert np.array_equal(data.x, numbers()[:, [2, 0]])
    assert data.labels == ("yes", "no")
    assert np.array_equal(data.y, 1 - np.arange(12) % 2)


@pytest.mark.parametrize("target", [None, "Class"])
def test_target_may_be_absent(tmp_path, target):
    write_frame(frame(numbers(), classes())[["V2", "V0", "V1"]], tmp_path / "a.csv")
    data = load(
        tmp_path / "a.csv",
        target=target,
        feature_names=["V0", "V1", "V2"],
        labels=["no", "yes"],
        require_target=False,
    )
    assert np.array_equal(data.x, numbers())
    assert data.y is None
    assert data.target is None
    assert data.labels == ("no", "yes")
    assert data.duplicate_rows == 0


def test_npz_target_may_be_absent(tmp_path):
    np.savez(tmp_path / "a.npz", x=numbers())
    assert load(tmp_path / "a.npz", require_target=False).y is None


def test_known_labels_need_no_second_row(tmp_path):
    write_frame(frame(numbers(1), ["yes"]), tmp_path / "a.csv")
    assert load(tmp_path / "a.csv", labels=["no", "yes"]).y.tolist() == [1]


@pytest.mark.parametrize(("given", "found"), [((0, 1), [0, 1]), (("0", "1"), [0, 1]), ((1, 0), [1, 0])])
def test_known_labels_match_by_value_or_text(given, found):
    assert from_arrays(numbers(2), [0, 1], labels=given).y.tolist() == found
    assert from_arrays(numbers(2), [0.0, 1.0], labels=given).y.tolist() == found
    assert from_arrays(numbers(2), ["0", "1"], labels=given).y.tolist() == found


def test_names_and_labels_may_be_arrays(tmp_path):
    write_frame(frame(numbers(), classes()), tmp_path / "a.csv")
    names, labels = np.array(["V2", "V0"]), np.array(["yes", "no"])
    for target in ("Class", "absent"):
        data = load(
            tmp_path / "a.csv", target=target, feature_names=names, labels=labels, require_target=False
        )
        assert [type(label) for label in data.labels] == [str, str]
        assert [type(name) for name in data.feature_names] == [str, str]


def test_arrays_of_objects_that_are_numbers():
    assert np.array_equal(from_arrays(numbers().astype(object), classes()).x, numbers())


def test_arrays():
    data = from_arrays(numbers().tolist(), classes(), feature_names=["a", "b", "c"])
    assert data.feature_names == ("a", "b", "c")
    assert from_arrays(numbers()).y is None


def test_load_drops_duplicates(tmp_path):
    write_frame(frame(np.repeat(numbers(), 2, axis=0), np.repeat(classes(), 2)), tmp_path / "a.csv")
    assert load(tmp_path / "a.csv").duplicate_rows == 12
    data = load(tmp_path / "a.csv", drop_duplicates=True)
    assert data.x.shape == (12, 3)
    assert np.array_equal(data.y, np.arange(12) % 2)


def test_import_needs_only_numpy():
    code = "import sys, minibn.data, minibn.metrics; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pandas", "pyarrow", "sklearn", "numba", "scipy"} & set(modules)


def test_missing_package_names_the_pip_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pandas", None)
    (tmp_path / "a.csv").write_text("a,b\n1,0\n")
    with pytest.raises(ImportError, match=r"pip install 'minibn\[data\]'"):
        load(tmp_path / "a.csv")
