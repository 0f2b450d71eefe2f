"""Every way in which a file can be wrong: one line that names the place and the remedy."""

import io
import zipfile

import numpy as np
import pytest

from minibn.data import load
from minibn.errors import DataError

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1] * 3)


def csv(text):
    def write(folder):
        pytest.importorskip("pandas")
        (folder / "a.csv").write_text(text)
        return folder / "a.csv"

    return write


def npz(**arrays):
    def write(folder):
        np.savez(folder / "a.npz", **arrays)
        return folder / "a.npz"

    return write


def parquet(**columns):
    def write(folder):
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        pandas.DataFrame(columns).to_parquet(folder / "a.parquet")
        return folder / "a.parquet"

    return write


def raw(name, content):
    def write(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def parquet_raw(content):
    def write(folder):
        pytest.importorskip("pyarrow")
        return raw("a.parquet", content)(folder)

    return write


def archive(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, member in members.items():
            file.writestr(name, member)
    return content.getvalue()


def damaged():
    content = io.BytesIO()
    np.savez(content, x=X, y=Y)
    content = bytearray(content.getvalue())
    middle = content.index(X.tobytes())
    content[middle] ^= 0xFF
    return bytes(content)


def alone():
    content = io.BytesIO()
    np.save(content, X)
    return content.getvalue()


def with_value(value, row=3, column=1):
    x = X.copy()
    x[row, column] = value
    return x


OBJECTS = np.array([[1, "a"], [2, None]] * 3, dtype=object)

CASES = [
    ("text feature", csv("a,b,c\n1,2,0\n3,red,1\n5,blue,0\n"), ["column 'b'", "row 2", "'red'", "encode"]),
    (
        "missing value",
        csv("a,b,c\n1,2,0\n3,4,1\n,6,0\n5,6,1\n"),
        ["column 'a'", "row 3", "missing", "fill it in"],
    ),
    ("short row", csv("a,b,c\n1,2,0\n3\n5,6,0\n5,6,1\n"), ["column 'b'", "row 2", "missing"]),
    ("missing in text", csv("a,b,c\n1,2,0\n3,,1\n5,red,0\n"), ["column 'b'", "row 2", "missing"]),
    (
        "infinite",
        csv("a,b,c\n1,2,0\n3,-inf,1\n5,6,0\n5,6,1\n"),
        ["column 'b'", "row 2", "-inf is not finite", "drop"],
    ),
    (
        "missing label",
        csv("a,b,c\n1,2,no\n3,4,\n5,6,yes\n"),
        ["target 'c'", "row 2", "missing", "drop the row"],
    ),
    ("missing number label", csv("a,b,c\n1,2,0\n3,4,\n5,6,1\n"), ["target 'c'", "row 2", "missing"]),
    (
        "constant target",
        csv("a,c\n1,yes\n2,yes\n3,yes\n"),
        ["target 'c' is constant", "'yes'", "two classes"],
    ),
    ("rare class", csv("a,c\n1,0\n2,0\n3,7\n4,1\n5,1\n"), ["class 7", "row 3", "fewer than two", "merge"]),
    (
        "regression",
        csv("a,c\n1,0\n2,0.5\n3,0\n4,0.5\n"),
        ["target 'c'", "row 2", "regression target", "classifiers"],
    ),
    ("empty file", csv(""), ["the file is empty"]),
    ("header only", csv("a,b,c\n"), ["no rows"]),
    ("target only", csv("c\n0\n1\n0\n1\n"), ["no feature column", "comma"]),
    ("semicolons", csv("a;b;c\n1;2;0\n3;4;1\n"), ["separated by semicolons, not commas", "sep=';'"]),
    ("decimal commas", csv("a;b;c\n1,5;2;0\n3,5;4;1\n"), ["separated by semicolons, not commas"]),
    ("tabs", csv("a\tb\tc\n1\t2\t0\n3\t4\t1\n"), ["separated by tabs, not commas", r"sep='\t'"]),
    (
        "long rows",
        csv("a,b\n1,2,0\n3,4,1\n"),
        ["cannot be read as CSV", "line 2 has 3 fields and the header 2"],
    ),
    (
        "one long row",
        csv("a,b\n1,0\n3,4,1\n"),
        ["cannot be read as CSV", "line 3 has 3 fields and the header 2"],
    ),
    (
        "not text",
        raw("a.csv", b"\xff\xfe\x00\x81,\x00\n"),
        ["cannot be read as CSV", "save it as CSV in UTF-8"],
    ),
    ("UTF-16", raw("a.csv", "a,b\n1,0\n2,1\n".encode("utf-16")), ["it is UTF-16", "save it as CSV in UTF-8"]),
    ("UTF-16 unmarked", raw("a.csv", "a,b\n1,0\n2,1\n".encode("utf-16-le")), ["it is UTF-16"]),
    (
        "Latin-1",
        raw("a.csv", "a,b\n1,caf\xe9\n2,th\xe9\n".encode("latin-1")),
        ["line 2 holds the byte 0xe9", "not UTF-8 (perhaps Latin-1)", "save the file in UTF-8"],
    ),
    (
        "Latin-1 header",
        raw("a.csv", "caf\xe9,b\n1,0\n2,1\n".encode("latin-1")),
        ["line 1 holds the byte 0xe9"],
    ),
    ("open quote", csv('a,b\n1,0\n"2,1\n3,0\n'), ["line 3: a quotation mark is not closed"]),
    ("open quote in the header", csv('a,"b\n1,0\n2,1\n'), ["line 1: a quotation mark is not closed"]),
    (
        "no header",
        csv("5.1,3.5,0\n4.9,3.1,1\n"),
        ["first line looks like data", "5.1, 3.5, 0", "line of names"],
    ),
    ("no header, text labels", csv("5.1,3,u\n4.9,3,u\n1,2,v\n"), ["first line looks like data"]),
    ("no header, equal numbers", csv("1,1,0\n4,3,1\n"), ["first line looks like data"]),
    ("index column", csv(",a,c\n0,5,0\n1,6,1\n"), ["column 1 has no name", "to_csv(index=False)"]),
    ("index column kept", csv("Unnamed: 0,a,c\n0,5,0\n1,6,1\n"), ["column 1 has no name"]),
    ("comma at the end", csv("a,c,\n5,0,\n6,1,\n"), ["column 3 has no name", "leave the column out"]),
    ("CSV names twice", csv("a,a,c\n1,2,0\n3,4,1\n"), ["two columns are called 'a'", "rename"]),
    (
        "labels with blanks",
        csv("a,c\n1,u\n2,v\n3,u \n4,v\n5,u \n"),
        ["target 'c', row 3", "'u ' differs from 'u' only by blanks", "strip"],
    ),
    ("unknown suffix", raw("a.xlsx", b""), ["choose example", "wine", ".parquet"]),
    ("not Parquet", parquet_raw(b"PAR1 nonsense PAR1"), ["cannot be read as Parquet"]),
    ("empty Parquet", parquet_raw(b""), ["cannot be read as Parquet"]),
    ("Parquet text", parquet(a=["x", "y"] * 2, c=[0, 1] * 2), ["column 'a'", "row 1", "'x'"]),
    ("Parquet missing", parquet(a=[1.0, 2.0, None, 3.0], c=[0, 1] * 2), ["column 'a'", "row 3", "missing"]),
    (
        "Parquet missing flag",
        parquet(a=[True, None, False, True], c=[0, 1] * 2),
        ["column 'a'", "row 2", "missing"],
    ),
    (
        "Parquet time",
        parquet(a=np.array(["2020-01-01"] * 4, "datetime64[ns]"), c=[0, 1] * 2),
        ["column 'a'", "row 1", "2020"],
    ),
    (
        "Parquet time target",
        parquet(a=[1, 2, 3, 4], c=np.array(["2020-01-01", "2021-01-01"] * 2, "datetime64[ns]")),
        ["target 'c'", "no class label"],
    ),
    ("Parquet list target", parquet(a=[1, 2, 3, 4], c=[[1], [2]] * 2), ["target 'c'"]),
    ("Parquet label", parquet(a=[1, 2, 3, 4], c=["u", None, "v", "u"]), ["target 'c'", "row 2", "missing"]),
    ("NPZ missing", npz(x=with_value(np.nan), y=Y), ["column 'x1'", "row 4", "missing", "fill it in"]),
    ("NPZ infinite", npz(x=with_value(np.inf), y=Y), ["column 'x1'", "row 4", "inf is not finite"]),
    ("NPZ text", npz(x=X.astype(str), y=Y), ["column 'x0'", "row 1", "'0.0'", "not a number"]),
    ("NPZ complex", npz(x=X.astype(complex), y=Y), ["column 'x0'", "row 1", "complex"]),
    ("object features", npz(x=OBJECTS, y=Y), ["Python objects", "never unpickled"]),
    ("object labels", npz(x=X, y=Y.astype(object)), ["Python objects", "never unpickled"]),
    ("no x", npz(y=Y), ["neither x nor x_train", "found y"]),
    ("no y", npz(x=X), ["y is missing", "save both"]),
    ("both", npz(x=X, y=Y, x_train=X, y_train=Y), ["both x and x_train"]),
    ("no y_train", npz(x_train=X), ["y_train is missing"]),
    ("no y_test", npz(x_train=X, y_train=Y, x_test=X), ["y_test is missing"]),
    ("no x_test", npz(x_train=X, y_train=Y, y_test=Y), ["x_test is missing"]),
    ("length", npz(x=X, y=Y[:4]), ["y: expected 6 labels", "got 4"]),
    ("test length", npz(x_train=X, y_train=Y, x_test=X, y_test=Y[:4]), ["y_test: expected 6 labels"]),
    ("test width", npz(x_train=X, y_train=Y, x_test=X[:, :1], y_test=Y), ["2 features and x_test 1"]),
    ("test kinds", npz(x_train=X, y_train=Y, x_test=X, y_test=Y.astype(str)), ["one kind of label"]),
    (
        "test value",
        npz(x_train=X, y_train=Y, x_test=with_value(np.nan), y_test=Y),
        ["column 'x1'", "row 4 of the test part"],
    ),
    (
        "train value",
        npz(x_train=with_value(np.nan), y_train=Y, x_test=X, y_test=Y),
        ["row 4 of the training part"],
    ),
    (
        "class only in the test part",
        npz(x_train=X, y_train=Y, x_test=X, y_test=Y + 1),
        ["class 2", "row 2 of the test part", "training rows"],
    ),
    ("one axis", npz(x=X[:, 0], y=Y), ["x: expected rows and columns", "(6,)"]),
    ("no axis", npz(x=np.float32(1), y=Y), ["x: expected rows and columns"]),
    ("scalar label", npz(x=X, y=np.int64(1)), ["one label a row"]),
    ("one-hot labels", npz(x=X, y=np.eye(6)), ["one label a row", "argmax"]),
    ("no rows", npz(x=X[:0], y=Y[:0]), ["no rows"]),
    ("no features", npz(x=X[:, :0], y=Y), ["no feature"]),
    ("NPZ regression", npz(x=X, y=Y + 0.25), ["target 'y'", "row 1", "regression"]),
    ("NPZ missing label", npz(x=X, y=np.array([0, 1, np.nan, 1, 0, 1])), ["target 'y'", "row 3", "missing"]),
    ("NPZ complex label", npz(x=X, y=Y * 1j), ["no class label", "complex"]),
    ("names length", npz(x=X, y=Y, feature_names=["a"]), ["feature_names", "(2,)"]),
    ("names kind", npz(x=X, y=Y, feature_names=[1, 2]), ["feature_names", "expected text"]),
    ("names twice", npz(x=X, y=Y, feature_names=["a", "a"]), ["two columns are called 'a'"]),
    ("truncated zip", raw("a.npz", damaged()[:200]), ["cannot be read"]),
    ("flipped byte", raw("a.npz", damaged()), ["cannot be read", "CRC"]),
    ("not a zip", raw("a.npz", b"nonsense"), ["cannot be read"]),
    ("empty zip file", raw("a.npz", b""), ["cannot be read"]),
    ("foreign member", raw("a.npz", archive(x=b"text", y=b"text")), ["x is not an array"]),
    ("bad header", raw("a.npz", archive(**{"x.npy": b"\x93NUMPY\x01\x00\x04\x00{'a "})), ["cannot be read"]),
    ("array file", raw("a.npz", alone()), ["not an NPZ archive"]),
]


@pytest.mark.parametrize(
    ("writer", "fragments"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_wrong_data(tmp_path, writer, fragments):
    path = writer(tmp_path)
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"'{path}': ")
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message
