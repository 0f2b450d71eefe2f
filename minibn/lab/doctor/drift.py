"""Whether given rows come from where the training rows came from."""

from dataclasses import dataclass

import numpy as np

_ROWS, _DRAWS = 4000, 200


@dataclass(frozen=True)
class Drift:
    """Difference between two samples of features.

    Attributes
    ----------
    size : float
        Root mean square over features of the difference of means and of deviations, in the first sample's standard
        deviations, less what two samples of one population show.
    worst : int
        Feature that differs most.
    worst_size : float
        By how much.
    p : float
        Share of random divisions of all rows into two such samples that differ as much.
    """

    size: float
    worst: int
    worst_size: float
    p: float


def measure_drift(reference, given, rng):
    """Compare two samples by a permutation test, which holds for features of any distribution and correlation.

    Parameters
    ----------
    reference, given : ndarray, shapes (N, C) and (M, C)
        At most 4000 rows of each are taken, at random.
    rng : numpy.random.Generator

    Returns
    -------
    Drift
    """
    reference, given = _some(reference, rng), _some(given, rng)
    z = np.concatenate([reference, given]).astype(np.float64)
    scale = reference.std(axis=0, dtype=np.float64)
    z = (z - reference.mean(axis=0, dtype=np.float64)) / np.where(scale > 0, scale, 1.0)
    n, m = len(reference), len(given)
    chosen = np.zeros((_DRAWS + 1, n + m))
    chosen[0, n:] = 1
    for row in chosen[1:]:
        row[rng.permutation(n + m)[:m]] = 1
    differences = _differences(z, chosen, n, m)
    sizes = np.mean(np.square(differences), axis=1)
    excess = max(0.0, float(sizes[0] - sizes[1:].mean()))
    worst = int(differences[0].argmax())
    p = float((1 + (sizes[1:] >= sizes[0]).sum()) / (_DRAWS + 1))
    return Drift(excess**0.5, worst, float(differences[0, worst]), p)


def _differences(z, chosen, n, m):
    """Return, per division and feature, the difference of means and deviations in standard deviations."""
    sums, squares = chosen @ z, chosen @ np.square(z)
    mean, other = sums / m, (z.sum(axis=0) - sums) / n
    spread = np.sqrt(np.maximum(squares / m - mean**2, 0))
    rest = np.sqrt(np.maximum((np.square(z).sum(axis=0) - squares) / n - other**2, 0))
    return np.hypot(mean - other, spread - rest)


def _some(x, rng):
    x = np.asarray(x)
    return x if len(x) <= _ROWS else x[np.sort(rng.permutation(len(x))[:_ROWS])]
