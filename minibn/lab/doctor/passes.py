"""Rows sent through a network under one kind of statistics or another."""

import copy
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minibn.autograd import no_grad
from minibn.errors import ArgumentError
from minibn.train import recalibrate
from minibn.train.batches import batch_bounds


@dataclass(frozen=True, eq=False)
class Pass:
    """Logits of some rows, and their classes where those are known.

    Attributes
    ----------
    logits : ndarray, shape (N, K)
    y : ndarray of int64, shape (N,), or None
    """

    logits: np.ndarray
    y: np.ndarray | None

    @cached_property
    def finite(self):
        """Whether every logit is finite."""
        return bool(np.isfinite(self.logits).all())

    @cached_property
    def predictions(self):
        """Class indices, shape (N,)."""
        return self.logits.argmax(axis=1)

    @cached_property
    def right(self):
        """Which rows are predicted right, shape (N,)."""
        return self.predictions == self.y

    @cached_property
    def losses(self):
        """Cross entropy of each row in nats, shape (N,)."""
        logits = self.logits.astype(np.float64)
        logits = logits - logits.max(axis=1, keepdims=True)
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), self.y]

    @property
    def accuracy(self):
        """Share of rows right."""
        return float(self.right.mean())

    @property
    def loss(self):
        """Mean cross entropy in nats."""
        return float(self.losses.mean())


def evaluated(model, x, y):
    """Return a pass with running statistics."""
    with np.errstate(all="ignore"):
        return Pass(model.logits(x), y)


def in_batches(model, x, y, order, size, training=True):
    """Return a pass over batches in some order, by default each normalised by its own statistics.

    The rows of the result stand in the order of ``x``; the model's statistics stay as they are.
    """
    model, logits = copy.deepcopy(model), None
    with no_grad(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for low, high in batch_bounds(len(order), max(2, size)):
            rows = order[low:high]
            out = model(x[rows], training).data
            logits = np.empty((len(x), out.shape[1]), out.dtype) if logits is None else logits
            logits[rows] = out
    return Pass(logits, y)


def exactly(model, x):
    """Return a copy of a model with the exact statistics of some rows, and what changed.

    Returns
    -------
    (Sequential, list of Recalibrated) or None
        None where what reaches a batch norm is not finite.
    """
    model = copy.deepcopy(model)
    try:
        with np.errstate(all="ignore"):
            return model, recalibrate(model, x)
    except ArgumentError:
        return None
