"""How far running statistics are from the exact ones, and what they look like instead."""

from dataclasses import dataclass

import numpy as np

from minibn.autograd import no_grad
from minibn.train import Recalibrated

_MOST = 10.0  # standard deviations: one broken unit shall not hide the others


@dataclass(frozen=True, eq=False)
class NormFigures:
    """One batch norm.

    Attributes
    ----------
    layer : str
    momentum : float or None
    tracked, skipped : int
        Batches in the running statistics, and left out of them.
    mean, var : ndarray of float64, shape (C,)
        Running.
    eps : float
    exact : Recalibrated or None
        The same layer with exact statistics of the training rows, or of those given.
    """

    layer: str
    momentum: float | None
    tracked: int
    skipped: int
    mean: np.ndarray
    var: np.ndarray
    eps: float
    exact: Recalibrated | None

    @property
    def bad_channels(self):
        """Channels whose statistics are not finite, or whose variance is negative: ndarray of int64."""
        good = np.isfinite(self.mean) & np.isfinite(self.var) & (np.nan_to_num(self.var) >= 0)
        return np.flatnonzero(~good)

    @property
    def start_weight(self):
        """Share of the running statistics that is still their start value: (1 - momentum) ** batches."""
        if self.momentum is None:
            return float(self.tracked == 0)
        return (1.0 - self.momentum) ** self.tracked

    @property
    def error(self):
        """Root mean square over channels of :func:`normalisation_error`, None without exact statistics."""
        if self.exact is None or len(self.bad_channels):
            return None
        found = normalisation_error(self.mean, self.var, self.exact.new_mean, self.exact.new_var, self.eps)
        return root_mean_square(found)


def normalisation_error(mean, var, true_mean, true_var, eps):
    """Return by how much values are normalised wrongly, in standard deviations, per channel.

    Values of mean m and deviation s become, under a wrong mean m' and deviation s', ones of mean (m - m') / s' and
    deviation s / s' in place of 0 and 1: the root of the squares of both differences.
    """
    wrong, true = np.sqrt(np.maximum(var, 0) + eps), np.sqrt(true_var + eps)
    return np.minimum(np.hypot((true_mean - mean) / wrong, true / wrong - 1), _MOST)


def root_mean_square(values):
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def norm_figures(case, changes):
    """Return the figures of every batch norm that is not frozen; ``changes`` are those of recalibration, or None."""
    exact = {change.layer: change for change in changes or ()}
    return [
        NormFigures(
            name, layer.momentum, int(layer.num_batches_tracked), int(layer.num_batches_skipped),
            layer.running_mean, layer.running_var, layer.eps, exact.get(name),
        )
        for name, layer in case.norms
    ]  # fmt: skip


@dataclass(frozen=True)
class Mixture:
    """Running statistics of the first batch norm, read as a mixture of batches of one class each and of all classes.

    Attributes
    ----------
    weights : ndarray, shape (K,)
        What batches of one class contributed, by class.
    residual : float
        Distance that the mixture leaves, over the distance from the exact statistics: the larger of that of the
        means alone and that of means and variances, since weights that moved explain variances too.
    """

    weights: np.ndarray
    residual: float

    @property
    def polluted(self):
        """Share of the running statistics that comes from batches of one class."""
        return float(self.weights.sum())


def class_mixture(model, norm, x, y):
    """Find the mixture of batches that comes closest to the running statistics of the first batch norm.

    A batch of class k has mean and variance of that class, a batch of rows drawn at random those of all rows; what a
    moving average holds is a mixture of them, with weights that are not negative and sum to 1.

    Parameters
    ----------
    model : Sequential
    norm : NormFigures
        Of the first batch norm.
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)

    Returns
    -------
    Mixture
    """
    from scipy.optimize import nnls

    before, classes = _input_of(norm, model, x), np.unique(y)
    width = np.sqrt(norm.exact.new_var + norm.eps)
    moments = np.array([_moments(before[y == k], width) for k in classes] + [_moments(before, width)])
    target = np.concatenate([norm.mean / width, norm.var / (2 * width**2)])
    one = 1e3 * max(1.0, float(np.abs(moments).max()))  # a heavy row that makes the weights sum to 1
    fitted = nnls(np.vstack([moments.T, np.full(len(moments), one)]), np.append(target, one))[0]
    off, left = target - moments[-1], target - fitted @ moments
    residuals = [_ratio(left[:part], off[:part]) for part in (len(width), None)]
    weights = np.zeros(int(y.max()) + 1)
    weights[classes] = fitted[:-1]
    return Mixture(weights, max(residuals))


def _ratio(left, off):
    distance = np.linalg.norm(off)
    return float(np.linalg.norm(left) / distance) if distance else 1.0


def batch_mean_noise(model, norm, x, order, size):
    """Return how much the means of batches scatter before a batch norm, in standard deviations of a row.

    Parameters
    ----------
    model : Sequential
    norm : NormFigures
    x : ndarray, shape (N, C)
    order : ndarray of int64, shape (N,)
        Rows in the order of the batches.
    size : int
        Rows of a batch; rows that fill none are left out.

    Returns
    -------
    float or None
        Root mean square over features that vary; None with fewer than two batches, or without such features. For rows
        drawn at random it is 1 / sqrt(size).
    """
    count = len(order) // size
    before = _input_of(norm, model, x[order[: count * size]])
    if count < 2 or not np.isfinite(before).all():
        return None
    means = before.reshape(count, size, -1).mean(axis=1)
    rows, batches = before.std(axis=0, ddof=1), means.std(axis=0, ddof=1)
    varies = rows > 0
    return root_mean_square(batches[varies] / rows[varies]) if varies.any() else None


def _input_of(norm, model, x):
    with no_grad():
        for layer in model.layers[: int(norm.layer.split(".")[0])]:
            x = layer(x, training=False)
    return np.asarray(getattr(x, "data", x), np.float64)


def _moments(x, width):
    """Return means, and variances at the scale of means: half of their relative size is that of the deviation."""
    return np.concatenate([x.mean(axis=0) / width, x.var(axis=0) / (2 * width**2)])
