"""What chance alone would do."""

import math

import numpy as np


def flips(before, after):
    """Return the two-sided p of a difference between two classifiers on the same rows.

    The exact test of McNemar: rows that only one of them has right fall to either with probability 1/2.

    Parameters
    ----------
    before, after : ndarray of bool, shape (N,)
        Which rows are right.
    """
    from scipy.stats import binomtest

    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def larger_mean(first, second):
    """Return the one-sided p that the mean of ``first`` is not larger than that of ``second`` (Welch)."""
    from scipy.stats import ttest_ind

    if len(first) < 2 or len(second) < 2:
        return 1.0
    p = float(ttest_ind(first, second, equal_var=False, alternative="greater").pvalue)
    return p if math.isfinite(p) else 1.0


def upper_share(count, n, z=1.96):
    """Return the upper end of Wilson's interval of a share (Wilson 1927)."""
    share = count / n
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre + spread) / (1 + z * z / n)


def entropy(y, classes=None):
    """Return the mean loss of guessing every class by its share, in nats; all classes alike where y is None."""
    if y is None:
        return math.log(classes)
    shares = np.bincount(y) / len(y)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
