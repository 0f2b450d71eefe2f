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
    """Running means of the first batch norm read as those of a mixture of classes.

    Attributes
    ----------
    shares : ndarray, shape (K,)
        Of the mixture that comes closest; the classes of the training rows have others.
    moved : float
        Share of rows that would have to change class: half the sum of absolute differences.
    residual : float
        Distance that the mixture leaves, over the distance from the exact means.
    """

    shares: np.ndarray
    moved: float
    residual: float


def class_mixture(model, norm, x, y):
    """Fit the running means of the first batch norm by a mixture of its means over each class.

    Parameters
    ----------
    model : Sequential
    norm : NormFigures
        Of the first batch norm.
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)

    Returns
    -------
    Mixture or None
        None for a single class.
    """
    from scipy.optimize import nnls

    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        return None
    with no_grad():
        for layer in model.layers[: int(norm.layer.split(".")[0])]:
            x = layer(x, training=False)
    before = np.asarray(getattr(x, "data", x), np.float64)
    scale = np.sqrt(norm.exact.new_var + norm.eps)
    means = np.array([before[y == k].mean(axis=0) for k in classes]) / scale
    target = norm.mean / scale
    one = 1e3 * max(1.0, float(np.abs(means).max()))  # a heavy row that makes the shares sum to 1
    fitted = nnls(np.vstack([means.T, np.full(len(classes), one)]), np.append(target, one))[0]
    shares = counts / counts.sum()
    off, left = np.linalg.norm(target - shares @ means), np.linalg.norm(target - fitted @ means)
    full = np.zeros(int(y.max()) + 1)
    full[classes] = fitted
    return Mixture(full, float(np.abs(fitted - shares).sum() / 2), float(left / off) if off else 1.0)
