"""Reading NPZ archives, never with pickle."""

import tokenize
import zipfile
import zlib

import numpy as np

from minibn.errors import DataError

from .arrays import column, matrix, numbered
from .table import Table

DAMAGE = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
    OSError, EOFError, ValueError, SyntaxError, RuntimeError, MemoryError, TypeError, OverflowError,
)  # fmt: skip


def read_npz(path, require_target):
    """Read an NPZ archive.

    It holds ``x`` and ``y``, or ``x_train`` and ``y_train`` and perhaps ``x_test`` and ``y_test``, which then are
    the validation part; and perhaps ``feature_names``.

    Parameters
    ----------
    path : pathlib.Path
    require_target : bool
        Whether labels must be there.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When the archive is damaged, holds Python objects, lacks an array, or its arrays do not fit one another.
    """
    arrays = _arrays(path)
    parts = [_part(arrays, x, y, require_target) for x, y in _keys(arrays)]
    x, values = _joined(parts)
    names = _names(arrays, x)
    validation = np.arange(len(parts[0][0]), len(x)) if len(parts) == 2 else None
    target = None if values is None else "y"
    return Table(path.stem, x, values, names, target, validation, "feature_names" in arrays)


def _arrays(path):
    wanted = ("x", "y", "x_train", "y_train", "x_test", "y_test", "feature_names")
    try:
        with _opened(path) as archive:
            arrays = {key: archive[key] for key in wanted if key in archive.files}
    except DAMAGE as error:
        raise DataError(f"cannot be read: {_reason(error)}") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that is not an array file comes as bytes
            raise DataError(f"{key} is not an array; write it with numpy.savez")
    return arrays


def _opened(path):
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not an NPZ archive")
    return np.load(path, allow_pickle=False)


def _reason(error):
    text = " ".join(str(error).split()) or type(error).__name__
    if "allow_pickle" in text or "pickled data" in text:
        return (
            "it holds Python objects (an object array), which are never unpickled; save plain numbers or text"
        )
    return f"{text}; write it again with numpy.savez"


def _keys(arrays):
    if "x" in arrays and "x_train" in arrays:
        raise DataError("holds both x and x_train; keep x and y, or x_train and y_train")
    if "x" in arrays:
        return [("x", "y")]
    if "x_train" not in arrays:
        raise DataError(
            f"holds neither x nor x_train (found {', '.join(arrays) or 'none of the known arrays'}); save x and y"
        )
    test = "x_test" in arrays or "y_test" in arrays
    return [("x_train", "y_train"), ("x_test", "y_test")] if test else [("x_train", "y_train")]


def _part(arrays, x, y, require_target):
    if x not in arrays:
        raise DataError(f"array {x} is missing beside {y}; save both")
    features = matrix(arrays[x], x)
    if y in arrays:
        return features, column(arrays[y], y, len(features))
    if require_target:
        raise DataError(f"array {y} is missing beside {x}; save both")
    return features, None


def _joined(parts):
    x, values = zip(*parts, strict=True)
    if len({part.shape[1] for part in x}) > 1:
        raise DataError(
            f"x_train has {x[0].shape[1]} features and x_test {x[1].shape[1]}; give both the same"
        )
    if any(part is None for part in values):
        return np.concatenate(x), None
    if len({part.dtype.kind in "US" for part in values}) > 1:
        raise DataError("one of y_train and y_test is text and the other is not; give both one kind of label")
    return np.concatenate(x), np.concatenate(values)


def _names(arrays, x):
    if "feature_names" not in arrays:
        return numbered(x)
    names = arrays["feature_names"]
    if names.dtype.kind != "U" or names.shape != (x.shape[1],):
        raise DataError(
            f"feature_names: expected text of shape ({x.shape[1]},), got {names.dtype.name} {names.shape}; save one name a column"
        )
    return tuple(names.tolist())
