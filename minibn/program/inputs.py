"""What a program is given: checked, and made what the executor reads."""

import numpy as np

from minibn import foreign
from minibn.errors import DtypeError, ProgramError, ShapeError
from minibn.functional import checks
from minibn.nn.losses import SoftmaxCrossEntropy

# The same object wherever NumPy makes an array; another of its kind is looked at more closely.
_LABEL = np.dtype(np.int64)
_READABLE = {np.dtype(code) for code in ("?", "b", "B", "h", "H", "i", "I", "l", "L", "f", "d")}


class Inputs:
    """Checks of the arguments of one program.

    Parameters
    ----------
    model : minibn.nn.Sequential
    loss : loss object
    dtype : dtype
        Of the arena.
    max_batch : int
    weighted : bool
        Whether the program takes weights of rows.

    Attributes
    ----------
    none : tuple of ndarray
        What stands for labels, targets and weights where there are none.
    """

    def __init__(self, model, loss, dtype, max_batch, weighted):
        self.columns, self.classes, self.dtype = model.in_features, model.out_features, np.dtype(dtype)
        self.max_batch, self.weighted = max_batch, weighted
        self.classifies = isinstance(loss, SoftmaxCrossEntropy)
        self.none = np.empty(0, np.int64), np.empty(0, dtype), np.empty(0)
        self._cut = None

    def features(self, x):
        """Return x as a matrix that the compiled gather can read, without a copy wherever that is possible."""
        x = np.asarray(foreign.exchanged("x", x))
        if x.ndim != 2 or x.shape[1] != self.columns:
            raise ShapeError(
                f"x must have shape (N, {self.columns}), got {x.shape}; pass the features the network was built for"
            )
        if x.dtype.kind not in "iufb":
            raise DtypeError(f"x must hold numbers, got {x.dtype}; convert it to float32")
        plain = x.dtype in _READABLE and x.dtype.isnative and x.flags.aligned
        return x if plain else x.astype(self.dtype)

    def targets(self, y, rows, sample_weight=None):
        """Return checked labels, targets and weights."""
        labels, targets, _ = self.none
        weights = self._weights(sample_weight, rows)
        if self.classifies:
            y = y if type(y) is np.ndarray else np.asarray(foreign.exchanged("y", y))
            if y.dtype is not _LABEL or y.shape != (rows,) or not y.flags.c_contiguous:
                y = checks.labels("y", y, rows, self.classes)
            return y, targets, weights
        targets = np.ascontiguousarray(foreign.exchanged("y", y), self.dtype).reshape(rows, -1)
        if targets.shape[1] != self.classes:
            raise ShapeError(
                f"target must have shape (N, {self.classes}), got {np.shape(y)}; give one value per output"
            )
        return labels, targets.reshape(-1), weights

    def _weights(self, sample_weight, rows):
        """Return one checked weight a row; none for a program that takes none."""
        if self.weighted:
            return (
                np.ones(rows)
                if sample_weight is None
                else checks.weights("sample_weight", sample_weight, rows)
            )
        if sample_weight is not None:
            raise ProgramError("this program takes no sample_weight; capture the model with weighted=True")
        return self.none[2]

    def rows_of_epoch(self, order, epochs):
        """Return the rows of each of some epochs whose orders stand one behind the other, ndarray, shape (M,)."""
        if order.ndim != 1 or order.size < 1:
            raise ShapeError(
                f"order must have shape (M,) with M at least 1, got {order.shape}; pass row indices"
            )
        if epochs == 1:
            return order.size
        rows, rest = divmod(len(order), checks.whole("epochs", epochs, 1))
        if rest:
            raise ShapeError(
                f"order must hold {epochs} epochs of equal length, got {len(order)} rows; pass whole ones"
            )
        return rows

    def batch_size(self, rows, batch_size):
        """Return the checked size of a batch, for epochs of so many rows."""
        if type(batch_size) is int and (rows, batch_size) == self._cut:  # the same as the last time
            return batch_size
        size = checks.whole("batch_size", self.max_batch - 1 if batch_size is None else batch_size, 1)
        largest = size + (rows > size and rows % size == 1)
        if min(largest, rows) > self.max_batch:
            raise ProgramError(
                f"a batch of {largest} rows does not fit max_batch {self.max_batch}; capture with a larger one"
            )
        self._cut = rows, size
        return size

    def rates(self, rates, steps):
        """Return the checked learning rates of all steps; none for those that the program holds."""
        if rates is None:
            return self.none[2]
        rates = np.ascontiguousarray(rates, np.float64)
        if rates.size and rates.shape != (steps,):
            raise ShapeError(
                f"learning_rates must have shape ({steps},), got {rates.shape}; pass one per step"
            )
        return rates

    def refuse(self, passes, epochs, sources, labels, order):
        """Raise the error behind a play that was refused: looked for only then, to keep an epoch cheap."""
        for one in passes:
            x, end = sources[one.source].x, one.start + (epochs - 1) * one.again + one.rows
            rows = order[one.start : end]
            if rows.size and (rows.min() < 0 or rows.max() >= len(x)):
                raise ShapeError(
                    f"order must hold row indices in [0, {len(x)}), shape (M,); pass a permutation"
                )
            if labels.size:
                checks.labels("y", labels[one.target : one.target + len(x)], len(x), self.classes)
