"""From an interval to yes or no, and to a sentence."""

import math

import numpy as np

from minibn.lab.statistics import (
    CANNOT_TELL,
    HELPS,
    MARGIN,
    mean_interval,
    paired_difference,
    verdict,
)

YES, NO, IN_PART = "yes", "no", "in part"
ANSWERS = (YES, NO, IN_PART, CANNOT_TELL)
FACTOR = 1.5  # a ratio nearer to 1 than this, or than its inverse, is no difference to a user


def answer(difference, margin=MARGIN):
    """Say whether the first arm is larger: the verdict of a paired difference as yes, no or cannot tell."""
    found = verdict(difference, margin)
    return found if found == CANNOT_TELL else YES if found == HELPS else NO


def ratio_answer(first, second, factor=FACTOR):
    """Say whether the first of two positive figures per seed is larger, by more than nothing to a user."""
    return answer(log_difference(first, second), math.log(factor))


def log_difference(first, second):
    """Return the paired Difference of the logarithms of positive figures."""
    return paired_difference(*(_rounded(np.log(np.asarray(arm, float))) for arm in (first, second)))


def combined(answers):
    """Return one answer for several: theirs where they agree, ``"in part"`` where only some say yes."""
    found = set(answers)
    if len(found) == 1:
        return found.pop()
    return IN_PART if found & {YES, IN_PART} else CANNOT_TELL


def parts_text(answers):
    """Return the answers to the parts of a question, by name, as a sentence."""
    return "; ".join(f"{name}: {found}" for name, found in answers.items()) + "."


def in_points(with_bn, without):
    """Return the paired Difference of two arms' shares, in percentage points."""
    return paired_difference(*(_rounded(100 * np.asarray(arm, float)) for arm in (with_bn, without)))


def _rounded(figures):
    """Drop the last digits, so that differences that are equal but for rounding are equal."""
    return np.round(figures, 10)


def points_text(difference):
    """Return a Difference of points as text: mean, interval, wins."""
    if difference.low is None:
        return f"{difference.mean:+.1f} points (one seed, no interval)"
    return (
        f"{difference.mean:+.1f} points (95 % interval {difference.low:+.1f} to {difference.high:+.1f}, "
        f"larger in {difference.wins} of {difference.n} seeds)"
    )


def points_cell(difference):
    """Return a Difference of points for a table: mean, interval."""
    if difference.low is None:
        return f"{difference.mean:+.1f}"
    return f"{difference.mean:+.1f} ({difference.low:+.1f} to {difference.high:+.1f})"


def ratio_text(difference):
    """Return a Difference of logarithms as text: the ratio of the geometric means with its interval."""
    mean, low, high = (
        None if v is None else math.exp(v) for v in (difference.mean, difference.low, difference.high)
    )
    if low is None:
        return f"{mean:.3g} times (one seed, no interval)"
    return f"{mean:.3g} times (95 % interval {low:.3g} to {high:.3g})"


def difference_numbers(difference):
    """Return a Difference as JSON."""
    return {
        "mean": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "wins": difference.wins,
        "n": difference.n,
    }


def bands(figures):
    """Return the mean and the ends of the 95 % interval of each row of (places, seeds): three lists."""
    rows = [mean_interval(row) for row in np.asarray(figures, float)]
    return tuple(list(column) for column in zip(*rows, strict=True))
