"""Exact running statistics for the batch norms of a trained network."""

from dataclasses import dataclass

import numpy as np

from minibn.autograd import Tensor, no_grad
from minibn.errors import ArgumentError, BatchSizeError
from minibn.nn import BatchNorm
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.train import arguments


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """What became of the running statistics of one layer.

    Attributes
    ----------
    layer : str
        Position and kind, such as ``"1.BatchNorm"``.
    old_mean, old_var, new_mean, new_var : ndarray of float64, shape (C,)
    """

    layer: str
    old_mean: np.ndarray
    old_var: np.ndarray
    new_mean: np.ndarray
    new_var: np.ndarray

    @property
    def mean_shift(self):
        """How far the old means lay off, in new standard deviations: ndarray of float64, shape (C,).

        NaN for a channel that was not finite, infinite for a constant one that moved.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.abs(self.old_mean - self.new_mean) / np.sqrt(self.new_var)
        return np.where(self.old_mean == self.new_mean, 0.0, shift)

    @property
    def var_ratio(self):
        """Old variance over new: ndarray of float64, shape (C,); 1 where both are 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.old_var / self.new_var
        return np.where(self.old_var == self.new_var, 1.0, ratio)


def recalibrate(model, x, sample_weight=None):
    """Replace the running statistics of every batch norm by the exact ones of some rows.

    Layer by layer: the rows reach a layer through layers that already normalise with their new statistics. Of
    each block of rows mean and squared deviations are taken in float64 and merged (Chan, Golub and LeVeque 1983,
    equation 2.1), so that the result does not depend on batches. Frozen layers stay as they are; so do weights
    and counts of batches.

    Parameters
    ----------
    model : minibn.nn.Sequential
        Changed: ``running_mean`` and ``running_var``, in place. A layer with ``running_var="unbiased"`` gets the
        unbiased variance. Unchanged when an error is raised.
    x : ndarray, shape (N, C)
        Training rows as the network sees them, scaled. The activations of all of them are held at once.
    sample_weight : sequence of numbers, shape (N,), optional
        How often each row counts, as in training: rows of weight 0 are left out, the unbiased variance takes the
        sum of the weights for the number of rows, and where that is below 2, the biased one enters.

    Returns
    -------
    list of Recalibrated
        One per batch norm that is not frozen, in order.

    Raises
    ------
    ArgumentError
        When what reaches a batch norm is not finite.
    BatchSizeError
        For fewer than two rows.
    ShapeError, DtypeError, DataError
        When x does not fit the model.

    Notes
    -----
    Wu and Johnson 2021 (arXiv 2105.07576, section 3) average the statistics of batches instead; with all rows
    in one "batch" theirs is this.

    Examples
    --------
    >>> from minibn.data import load
    >>> from minibn.nn import mlp
    >>> from minibn.train import fit, recalibrate
    >>> data = load("example")
    >>> model = mlp([20, 10, 3], bn_momentum=0.001, rng=0)
    >>> history = fit(model, data.x, data.y, epochs=1)
    >>> [change.layer for change in recalibrate(model, data.x)]
    ['1.BatchNorm']
    >>> again = recalibrate(model, data.x)  # nothing is left to change
    >>> bool(again[0].mean_shift.max() < 1e-6)
    True
    """
    x = arguments.features("x", x, arguments.network(model).dtype)
    counted, weight = arguments.row_weights("sample_weight", sample_weight, len(x))
    x = x if counted is None else x[counted]
    weight = np.ones(len(x)) if weight is None else weight[weight > 0]
    before = [(layer, _statistics(layer)) for layer in model.layers if _is_open(layer)]
    try:
        with no_grad():
            return _recalibrate(model, x, weight)
    except BaseException:
        for layer, statistics in before:
            _take(layer, *statistics)
        raise


def _recalibrate(model, x, weight):
    found = []
    starts = range(0, len(x), EVALUATION_BLOCK)
    shares = [weight[i : i + EVALUATION_BLOCK] for i in starts]
    blocks = [Tensor(x[i : i + EVALUATION_BLOCK].astype(model.dtype, copy=False)) for i in starts]
    for position, layer in enumerate(model.layers):
        if _is_open(layer):
            name, old = f"{position}.{type(layer).__name__}", _statistics(layer)
            new = _exact(name, blocks, shares, layer.variance_kind == "unbiased")
            _take(layer, *new)
            found.append(Recalibrated(name, *old, *new))
        for i, block in enumerate(blocks):
            blocks[i] = layer(block, training=False)
    return found


def _is_open(layer):
    return isinstance(layer, BatchNorm) and not layer.frozen


def _statistics(layer):
    return layer.running_mean.copy(), layer.running_var.copy()


def _take(layer, mean, var):
    # In place: the arrays may lie in the arena of a program.
    layer.unlock()
    layer.running_mean[...], layer.running_var[...] = mean, var


def _exact(name, blocks, weights, unbiased):
    """Return weighted mean and variance of each column over all blocks."""
    n, mean, squares, rows = 0.0, 0.0, 0.0, sum(map(len, weights))
    with np.errstate(over="ignore", invalid="ignore"):
        for block, part in zip(blocks, weights, strict=True):
            count, block_mean, block_squares = _moments(block.data, part)
            delta, weight = block_mean - mean, count / (n + count)
            mean = mean + delta * weight
            squares = squares + block_squares + delta * delta * (n * weight)
            n += count
    if rows < 2:
        raise BatchSizeError(f"{name} needs at least 2 rows to recalibrate, got {rows}; give more rows")
    if not np.isfinite(squares).all():
        raise ArgumentError(
            f"model: what reaches {name} is not finite, so it has no statistics; the weights before it have "
            "diverged: train again with a lower learning rate"
        )
    return mean, squares / (n - 1 if unbiased and n >= 2 else n)


def _moments(x, weight):
    """Return the weight of a block, the means of its columns, and their sums of squared deviations."""
    n, weight = weight.sum(), weight[:, None]
    first = x[0].astype(np.float64)  # around its own value a constant column has exactly 0
    difference = x - first
    mean = (weight * difference).sum(axis=0) / n
    return n, first + mean, (weight * np.square(difference - mean)).sum(axis=0)
