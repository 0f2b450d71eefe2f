"""What a reader hands over, before features are checked and labels are coded."""

from dataclasses import dataclass, replace

import numpy as np

from minibn.errors import DataError

from .dataset import Dataset, place
from .features import check_distinct, check_finite, columns_of, compact
from .labels import check_classes, code_labels, native


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers and labels as they were read.

    Attributes
    ----------
    name : str
    x : ndarray of numbers, shape (N, C)
    values : ndarray, shape (N,), or None
        Labels as they stand in the source.
    feature_names : tuple of str
    target : str or None
    validation_rows : ndarray of int64 or None
    named : bool
        Whether the source itself names its features.
    """

    name: str
    x: np.ndarray
    values: np.ndarray | None
    feature_names: tuple
    target: str | None = None
    validation_rows: np.ndarray | None = None
    named: bool = True

    def place(self, row):
        """Return the name of a row in a message."""
        return place(row, self.validation_rows)

    @classmethod
    def of(cls, dataset):
        """Return a finished data set as a table."""
        values = np.asarray(dataset.labels)[dataset.y]
        names, target = dataset.feature_names, dataset.target
        return cls(dataset.name, dataset.x, values, names, target, dataset.validation_rows)

    def matched(self, feature_names):
        """Return the table with the given features only, in their order.

        Parameters
        ----------
        feature_names : sequence of str

        Returns
        -------
        Table

        Raises
        ------
        DataError
            When a feature is missing; where the source names none, when their number differs.
        """
        names = tuple(map(str, feature_names))
        if self.named:
            columns = columns_of(names, self.feature_names)
            return replace(self, x=self.x[:, columns], feature_names=names)
        if len(names) != self.x.shape[1]:
            raise DataError(
                f"expected {len(names)} features, got {self.x.shape[1]}; give the features of the training data"
            )
        return replace(self, feature_names=names)

    def without_unknown(self, labels):
        """Return the table without its labels where one of them is missing or not among ``labels``."""
        try:
            self._coded(labels)
        except DataError:
            return replace(self, values=None)
        return self

    def dataset(self, labels=None, drop_duplicates=False):
        """Check everything and code the labels.

        Parameters
        ----------
        labels : sequence, optional
            Known classes; by default those in the data, each of which then needs two training rows.
        drop_duplicates : bool
            Keep only the first of equal rows.

        Returns
        -------
        Dataset

        Raises
        ------
        DataError
            When the data cannot be trained on, with column, row and remedy.
        """
        self._check_size()
        x = compact(self.x)
        check_finite(x, self.feature_names, self.place)
        y, known = self._coded(labels)
        data = Dataset(self.name, x, y, self.feature_names, known, self.validation_rows, self.target)
        if y is not None and labels is None:
            rows = (
                np.intersect1d(data.training_rows, data.first_rows) if drop_duplicates else data.training_rows
            )
            check_classes(data, rows, self.place)
        return data.drop_duplicates() if drop_duplicates else data

    def _check_size(self):
        rows, columns = self.x.shape
        if not columns:
            raise DataError(
                "there is no feature column; give at least one beside the target, separated by commas in CSV"
            )
        if not rows:
            raise DataError("there are no rows; give at least two of every class")
        check_distinct(self.feature_names)

    def _coded(self, labels):
        if self.values is None:
            return None, () if labels is None else native(labels)
        return code_labels(self.values, self.target, labels, self.place)
