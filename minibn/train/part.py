"""The rows of a data set that a run uses, named by their indices, so that data on disk stays there."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from minibn.data.blocks import row_blocks
from minibn.train.batches import epoch_orders


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of features and targets.

    Attributes
    ----------
    x : ndarray, shape (N, C)
        May be a memory map.
    y : ndarray, shape (N,) or that of the output
    rows : ndarray of int64, shape (M,), or None
        Indices of the rows; None for all.
    weight : ndarray of float64, shape (N,), or None
        How often each row counts; None for once.
    """

    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray | None = None
    weight: np.ndarray | None = None

    def __len__(self):
        return len(self.y) if self.rows is None else len(self.rows)

    @property
    def targets(self):
        """Targets of these rows."""
        return self.y if self.rows is None else self.y[self.rows]

    def weighted(self):
        """Return the same rows with weights, 1 each where there were none."""
        return self if self.weight is not None else replace(self, weight=np.ones(len(self.y)))

    @property
    def weights(self):
        """Weights of these rows, None where there are none."""
        return self.weight if self.weight is None or self.rows is None else self.weight[self.rows]

    def order(self, seed, epoch):
        """Return the indices of these rows in the order of one epoch."""
        return self.orders(seed, epoch, 1)[0]

    def orders(self, seed, first, epochs):
        """Return the same of some epochs, counted from ``first``, shape (epochs, M)."""
        orders = epoch_orders(len(self), seed, first, epochs)
        return orders if self.rows is None else self.rows[orders]

    def digest(self):
        """Return the SHA-256 of these rows, read block by block."""
        digest = hashlib.sha256(repr((self.x.dtype, (len(self), *self.x.shape[1:]))).encode())
        for block in row_blocks(self.x[: len(self)]):
            rows = block if self.rows is None else self.rows[block]
            digest.update(np.ascontiguousarray(self.x[rows]))
        digest.update(np.ascontiguousarray(self.targets))
        if self.weight is not None:
            digest.update(np.ascontiguousarray(self.weights))
        return digest.hexdigest()
