"""Reading Parquet files, and taking features and target out of a data frame."""

import numpy as np

from minibn.errors import DataError, require_extra

from .features import NUMERIC, check_distinct, columns_of, compact_dtype, numbers
from .labels import listed
from .table import Table


def read_parquet(path):
    """Read a Parquet file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    DataError
        When the file is damaged or is not Parquet.
    """
    pandas, arrow = require_extra("pandas", "data"), require_extra("pyarrow", "data")
    schemas = require_extra("pyarrow.parquet", "data")
    try:
        check_distinct(schemas.read_schema(path).names)
        return pandas.read_parquet(path, engine="pyarrow")
    except DataError:
        raise
    except (ValueError, OSError, arrow.ArrowException) as error:
        raise DataError(f"cannot be read as Parquet: {_line(error)}; write the file again") from error


def frame_table(frame, name, target, feature_names, require_target):
    """Take features and target out of a data frame.

    Parameters
    ----------
    frame : pandas.DataFrame
    name : str
    target : str or None
        By default the last column, unless that is a feature.
    feature_names : sequence of str or None
        By default every column but the target.
    require_target : bool
        Whether labels must be there.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When a column is missing or a feature is not a number.
    """
    columns = [str(column) for column in frame.columns]
    check_distinct(columns)
    wanted = None if feature_names is None else tuple(map(str, feature_names))
    target = _target(columns, target, wanted or (), require_target)
    names = tuple(column for column in columns if column != target) if wanted is None else wanted
    features = [frame.iloc[:, i] for i in columns_of(names, columns)]
    values = None if target is None else _values(frame.iloc[:, columns.index(target)])
    return Table(name, _matrix(features, names, len(frame)), values, names, target)


def _target(columns, target, features, require_target):
    if target is None:
        target = columns[-1] if columns and columns[-1] not in features else None
    elif target in features:
        raise DataError(f"column {target!r} is both target and feature; name another target")
    if target in columns:
        return target
    if require_target:
        wanted = "beside the features to be the target" if target is None else f"{target!r} to be the target"
        raise DataError(f"there is no column {wanted}; choose one of {listed(columns)}")
    return None


def _matrix(features, names, rows):
    columns = [numbers(_values(series), name) for series, name in zip(features, names, strict=True)]
    if not columns:
        return np.empty((rows, 0))
    x = np.empty((rows, len(columns)), dtype=compact_dtype(column.dtype for column in columns))
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused by name
        for i, column in enumerate(columns):
            x[:, i] = column
    return x


def _values(series):
    values = series.to_numpy()
    if values.dtype.kind in NUMERIC:
        return values
    plain = series.astype(object)
    return plain.where(series.notna(), None).to_numpy()


def _line(error):
    return " ".join(str(error).split())
