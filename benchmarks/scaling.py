"""Cost against rows, features and depth: curves, and the slope of their upper half on logarithmic axes."""

import numpy as np

from benchmarks.calls import ours
from benchmarks.cases import CASES
from benchmarks.measure import Effort, interleave

_FULL = Effort(burst=1e-3, budget=3.0, least=7, most=101, placements=1)
_QUICK = Effort(burst=3e-4, budget=0.3, least=3, most=21, placements=1)
_ROWS, _FEATURES = tuple(2**k for k in range(5, 18)), tuple(2**k for k in range(2, 13))
_KERNELS = ("batch_norm_forward", "batch_norm_backward")


def effort(quick):
    """Return the effort spent on one curve."""
    return _QUICK if quick else _FULL


def slope(sizes, seconds):
    """Return d log(time) / d log(size), a least-squares line through the upper half of the points: 1 is linear."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(seconds[half:]), 1)[0])


def curve(name, axis, fixed, subjects, quick):
    """Time some subjects by size and return them as a curve.

    Parameters
    ----------
    name, axis, fixed : str
        What is timed, what grows, and what stays.
    subjects : dict of int to callable
        By size, rising.
    quick : bool

    Returns
    -------
    dict
        Sizes, median microseconds with 10th and 90th percentile, and the slope.
    """
    seconds = interleave(subjects, effort(quick))
    low, median, high = np.transpose([np.percentile(seconds[size], (10, 50, 90)) for size in subjects]) * 1e6
    return {
        "name": name,
        "axis": axis,
        "fixed": fixed,
        "sizes": list(subjects),
        "us": median.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "slope": slope(list(subjects), median),
    }


def _call(name, shape):
    case = next(case for case in CASES if case.name == name)
    rng = np.random.default_rng(1)
    return ours(case, case.arguments(rng, *shape), rng)[0]


def kernel_curves(quick):
    """Return the curves of batch norm, forward and backward, against rows and against features."""
    step = 4 if quick else 1
    curves = []
    for name in _KERNELS:
        rows = {n: _call(name, (n, 64)) for n in _ROWS[::step]}
        features = {c: _call(name, (1024, c)) for c in _FEATURES[::step]}
        curves.append(curve(name, "rows", "64 features", rows, quick))
        curves.append(curve(name, "features", "1024 rows", features, quick))
    return curves
