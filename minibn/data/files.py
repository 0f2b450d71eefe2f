"""One door to every source of data: names and files."""

import os
from pathlib import Path

from minibn.errors import DataError

from .bundled import BUNDLED, bundled
from .delimited import check_names, read_csv
from .example import EXAMPLES, example
from .frames import frame_table, read_parquet
from .npz import read_npz
from .table import Table

FRAMES = {".csv": read_csv, ".parquet": read_parquet}
SUFFIXES = (".csv", ".npz", ".parquet")


def load(
    source,
    *,
    target=None,
    seed=0,
    feature_names=None,
    labels=None,
    require_target=True,
    drop_duplicates=False,
):
    """Read a data set and check that a classifier can be trained on it.

    Parameters
    ----------
    source : str or path
        A name in :data:`EXAMPLES` or :data:`BUNDLED`, or a path to a .csv, .npz or .parquet file.
    target : str, optional
        Target column of a CSV or Parquet file; by default the last.
    seed : int
        Of the examples.
    feature_names : sequence of str, optional
        The features of a trained model: columns are matched by name and others ignored. An NPZ archive that names
        none must have as many.
    labels : sequence, optional
        The classes of a trained model. By default those in the data, each of which then needs two training rows.
    require_target : bool
        Whether labels are needed. If not, ``y`` is None where they are absent, missing or not among ``labels``.
    drop_duplicates : bool
        Keep only the first of the rows that are equal in features and label.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        When the source does not exist, cannot be read, or cannot be trained on: one line that names the column,
        the place and the remedy. Everywhere in minibn a row is a row of data, counted from 1 without the header;
        a line is a line of the file.
    MissingExtraError
        When the source needs a package that is not installed.
    """
    try:
        table = _table(source, target, seed, feature_names, require_target)
        table = table if feature_names is None else table.matched(feature_names)
        table = table if require_target or labels is None else table.without_unknown(labels)
        return table.dataset(labels, drop_duplicates)
    except DataError as error:
        raise DataError(f"{_short(source)}: {error}") from error.__cause__


def _table(source, target, seed, feature_names, require_target):
    path = _path(source)
    if path is not None and path.suffix.lower() in FRAMES:
        frame = FRAMES[path.suffix.lower()](path)
        if path.suffix.lower() == ".csv" and feature_names is None:
            check_names(path, frame)
        return frame_table(frame, path.stem, target, feature_names, require_target)
    if target not in (None, "y") and feature_names is None:
        raise DataError(
            f"target {target!r}: only CSV and Parquet files have target columns to choose; leave it out"
        )
    if path is not None:
        return read_npz(path, require_target)
    return Table.of(example(seed, source) if source in EXAMPLES else bundled(source))


def _path(source):
    """Return the path of a file that can be read, or None for a name."""
    if isinstance(source, str) and source in (*EXAMPLES, *BUNDLED):
        return None
    choices = f"choose {', '.join((*EXAMPLES, *BUNDLED))}, or a path to a {', '.join(SUFFIXES)} file"
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(f"{type(source).__name__} is no source of data; {choices}")
    path = Path(source)
    if str(source) and path.is_dir():
        raise DataError("it is a folder, not a file; give the path of a file in it")
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"there is no such data set; {choices}")
    if not path.is_file():
        raise DataError(f"there is no such file; {choices}")
    return path


def _short(source):
    return repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "source"
