"""The record that every source of data returns."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .labels import row_number


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features, class indices and their names.

    Attributes
    ----------
    name : str
        Where the data come from, e.g. ``"wine"`` or the stem of a file name.
    x : ndarray of uint8, float32 or float64, shape (N, C)
        Features, unscaled, every value finite.
    y : ndarray of int64, shape (N,), or None
        Class indices into ``labels``; None where no target was present.
    feature_names : tuple of str
        One name a column.
    labels : tuple of int, str, float or bool
        The classes; sorted unless the caller gave them.
    validation_rows : ndarray of int64 or None
        Rows of a validation part that comes with the data.
    target : str or None
        Name of the target column.
    """

    name: str
    x: np.ndarray
    y: np.ndarray | None
    feature_names: tuple
    labels: tuple
    validation_rows: np.ndarray | None = None
    target: str | None = None

    @property
    def training_rows(self):
        """Rows outside ``validation_rows``, ascending: ndarray of int64."""
        training = np.ones(len(self.x), dtype=bool)
        if self.validation_rows is not None:
            training[self.validation_rows] = False
        return np.flatnonzero(training)

    def place(self, row):
        """Return the name of a row in a message."""
        return place(row, self.validation_rows)

    @cached_property
    def first_rows(self):
        """Rows that equal no earlier one in features and label, ascending: ndarray of int64."""
        _, first = np.unique(_row_keys(self.x, self.y), return_index=True)
        return np.sort(first)

    @property
    def duplicate_rows(self):
        """How many rows equal an earlier row in features and label."""
        return len(self.x) - len(self.first_rows)

    @cached_property
    def digest(self):
        """SHA-256 of the content, whatever the data set is called."""
        head = [self.x.dtype.str, self.x.shape, self.feature_names, [repr(label) for label in self.labels]]
        digest = hashlib.sha256(json.dumps(head).encode())
        for part in (self.x, self.y, self.validation_rows):
            digest.update(b"none" if part is None else b"array:%d:" % part.size)
            digest.update(b"" if part is None else np.ascontiguousarray(part))
        return digest.hexdigest()

    def drop_duplicates(self):
        """Return the data set without the rows that equal an earlier one.

        The first occurrence stays, so a validation row that repeats a training row before it goes. Where nothing
        is left of a preset validation part, ``validation_rows`` is None.

        Returns
        -------
        Dataset
        """
        kept = self.first_rows
        y = None if self.y is None else self.y[kept]
        return replace(self, x=self.x[kept], y=y, validation_rows=self._kept_validation(kept))

    def _kept_validation(self, kept):
        if self.validation_rows is None:
            return None
        rows = np.flatnonzero(np.isin(kept, self.validation_rows))
        return rows if len(rows) else None


def place(row, validation_rows):
    """Return the name of a row in a message; the two parts of data that come divided are counted each by itself.

    Parameters
    ----------
    row : int
    validation_rows : ndarray of int64, shape (M,), or None
        Ascending.

    Returns
    -------
    str
    """
    if validation_rows is None:
        return row_number(row)
    before = int(np.searchsorted(validation_rows, row))
    if row in validation_rows:
        return f"{row_number(before)} of the test part"
    return f"{row_number(row - before)} of the training part"


def _row_keys(x, y):
    # One opaque value a row: NumPy sorts them by their bytes, twenty times faster than unique(axis=0).
    parts = [_bytes_of(x)]
    if y is not None:
        parts.append(_bytes_of(y[:, None]))
    rows = np.ascontiguousarray(np.hstack(parts))
    return rows.view(np.dtype((np.void, rows.shape[1]))).ravel()


def _bytes_of(matrix):
    # Adding zero turns -0.0, whose bytes differ, into the 0.0 that it equals.
    matrix = np.ascontiguousarray(matrix + 0 if matrix.dtype.kind == "f" else matrix)
    return matrix.view(np.uint8).reshape(len(matrix), -1)
