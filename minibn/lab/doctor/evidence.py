"""What chance alone would do."""

import math

import numpy as np

from minibn.data import class_weights


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
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    p = float(ttest_ind(first, second, equal_var=False, alternative="greater").pvalue)
    return p if math.isfinite(p) else 1.0


def upper_share(count, n, z=1.96):
    """Return the upper end of Wilson's interval of a share (Wilson 1927)."""
    share = count / n
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (centre + spread) / (1 + z * z / n)


def guess_loss(y, classes, class_weight=None):
    """Return the mean loss of guessing every class by its share, in nats: the entropy of the shares.

    Parameters
    ----------
    y : ndarray of int64, shape (N,), or None
        Where None, all classes have the same share.
    classes : int
    class_weight : optional
        Of the loss: a class counts as if its share were larger by its weight.
    """
    shares = np.ones(classes) if y is None else np.bincount(y, minlength=classes).astype(np.float64)
    if class_weight is not None and y is not None:
        shares *= class_weights(y, classes, class_weight)
    shares = shares[shares > 0] / shares.sum()
    return float(-(shares * np.log(shares)).sum())
