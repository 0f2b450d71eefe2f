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


def interval_text(low, high, form="+z.1f", *, nothing="", before="95 % interval "):
    """Return the ends of an interval as text; ``nothing`` for a single seed.

    Figures on a grid, such as depths, may agree in every seed. Their scatter is then unknown rather than none, so
    that is said in place of a t interval of no width.
    """
    if low is None:
        return nothing
    return "in every seed" if low == high else f"{before}{low:{form}} to {high:{form}}"


def points_text(difference):
    """Return a Difference of points as text: mean, interval, wins."""
    ends = interval_text(difference.low, difference.high, nothing="one seed, no interval")
    scattered = difference.low != difference.high
    wins = f", larger in {difference.wins} of {difference.n} seeds" if scattered else ""
    return f"{difference.mean:+z.1f} points ({ends}{wins})"


def change_text(before, after, falls, rises):
    """Return a change of shares with the verb for its direction: ``"lowers it by +2.1 points (...)"``."""
    found = in_points(before, after)
    if round(found.mean, 1) >= 0:
        return f"{falls} {points_text(found)}"
    return f"{rises} {points_text(in_points(after, before))}"


def points_cell(difference):
    """Return a Difference of points for a table: mean, interval."""
    ends = interval_text(difference.low, difference.high, before="")
    return f"{difference.mean:+z.1f}" + (f" ({ends})" if ends else "")


def ratio_text(difference):
    """Return a Difference of logarithms as text: the ratio of the geometric means with its interval."""
    mean, low, high = (
        None if v is None else math.exp(v) for v in (difference.mean, difference.low, difference.high)
    )
    return f"{mean:.3g} times ({interval_text(low, high, '.3g', nothing='one seed, no interval')})"


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
