"""Paired differences with intervals, and what they allow to say."""

import math
from dataclasses import dataclass

import numpy as np

from minibn.errors import ShapeError

MARGIN = 1.0  # percentage points of accuracy: less than this is no difference to a user
NO_DIFFERENCE, HELPS, HURTS, CANNOT_TELL = "no difference", "helps", "hurts", "cannot tell"


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences with its interval.

    Attributes
    ----------
    mean : float
        First arm minus second, in the unit of what was measured.
    low, high : float or None
        Ends of the t interval; None for a single pair.
    wins : int
        Pairs in which the first arm is larger.
    n : int
        Pairs.
    p : float or None
        Two-sided p value of the paired t test; 1 where all pairs agree.
    """

    mean: float
    low: float | None
    high: float | None
    wins: int
    n: int
    p: float | None


def paired_difference(first, second, level=0.95):
    """Return the mean paired difference with its t interval.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
        One figure of each arm per seed, in the same order.
    level : float
        Coverage of the interval.

    Returns
    -------
    Difference

    Raises
    ------
    ShapeError
        Unless both have the same number of finite figures, at least one.

    Examples
    --------
    >>> from minibn.lab import paired_difference, verdict
    >>> difference = paired_difference([93.1, 92.4, 94.0, 93.3], [90.2, 90.9, 91.8, 91.1])
    >>> round(difference.mean, 2), round(difference.low, 2), round(difference.high, 2), difference.wins
    (2.2, 1.29, 3.11, 4)
    >>> verdict(difference)
    'helps'
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ShapeError(
            f"first and second must have one shape (n,), got {first.shape} and {second.shape}; pass a figure per seed"
        )
    if not np.isfinite(first - second).all():
        raise ShapeError("first and second must be finite; score a diverged run before it is compared")
    differences, n = first - second, len(first)
    mean, wins = float(differences.mean()), int((differences > 0).sum())
    if n == 1:
        return Difference(mean, None, None, wins, n, None)
    if np.ptp(differences) == 0:
        return Difference(mean, mean, mean, wins, n, 1.0 if mean == 0 else 0.0)
    from scipy.stats import ttest_rel

    test = ttest_rel(first, second)
    low, high = test.confidence_interval(level)
    return Difference(mean, float(low), float(high), wins, n, float(test.pvalue))


def verdict(difference, margin=MARGIN):
    """Return what a difference allows to say, in points of accuracy.

    An interval inside the margin says ``"no difference"``, also where it excludes 0: so small an effect is none.

    Parameters
    ----------
    difference : Difference
    margin : float

    Returns
    -------
    str
        ``"no difference"``, ``"helps"``, ``"hurts"`` or ``"cannot tell"``.
    """
    if difference.low is None:
        return CANNOT_TELL
    if -margin < difference.low and difference.high < margin:
        return NO_DIFFERENCE
    if difference.low > 0:
        return HELPS
    return HURTS if difference.high < 0 else CANNOT_TELL


def mean_interval(values, level=0.95):
    """Return the mean of some figures and the ends of its t interval; a single figure has none.

    Parameters
    ----------
    values : array_like of float, shape (n,)

    Returns
    -------
    tuple of float or None
        Mean, low, high; both ends are None for a single figure.
    """
    found = paired_difference(values, np.zeros(len(values)), level)
    return found.mean, found.low, found.high


def ratio_interval(first, second, level=0.95):
    """Return the geometric mean of paired ratios with the interval of its logarithm: ``(mean, low, high)``.

    A single pair has no interval: both ends are None.
    """
    logs = np.log(np.asarray(first, np.float64)) - np.log(np.asarray(second, np.float64))
    return tuple(None if end is None else float(np.exp(end)) for end in mean_interval(logs, level))


def spread_ratio(first, second, level=0.95):
    """Return the ratio of the standard deviations of paired figures, with its interval.

    Source: Pitman, A note on normal correlation, Biometrika 31, 1939, and Morgan, ibid.: sum and difference of two
    normal figures are uncorrelated where their variances are equal.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
    level : float

    Returns
    -------
    tuple of float or None
        Ratio, low, high; None for fewer than three pairs, or where one of them does not vary.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n = len(first)
    if n < 3 or not np.ptp(first) or not np.ptp(second):
        return None
    from scipy.stats import t

    ratio, correlation = first.var() / second.var(), np.corrcoef(first, second)[0, 1]
    k = 1 + 2 * max(1 - correlation**2, 0.0) * t.ppf((1 + level) / 2, n - 2) ** 2 / (n - 2)
    root = math.sqrt(k * k - 1)
    return math.sqrt(ratio), math.sqrt(ratio * (k - root)), math.sqrt(ratio * (k + root))


def holm(p_values, level=0.05):
    """Say which of several tests stay significant when they are read together.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6,
    1979: the k-th smallest of m p values is held against ``level / (m - k + 1)``, and the first that fails ends it.

    Parameters
    ----------
    p_values : sequence of float or None
        None stands for a test that could not be made.
    level : float

    Returns
    -------
    list of bool

    Examples
    --------
    >>> from minibn.lab import holm
    >>> holm([0.001, 0.03, 0.04])
    [True, False, False]
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    significant = [False] * len(p_values)
    for rank, (p, i) in enumerate(known):
        if p > level / (len(known) - rank):
            break
        significant[i] = True
    return significant
