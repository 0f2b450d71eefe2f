"""Interleaved timing: every subject once per round, so that all of them meet the same noise."""

import resource
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter

import numpy as np


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time one comparison may take.

    Attributes
    ----------
    burst : float
        Seconds that one timed run of a subject should last; short calls are repeated to fill it.
    budget : float
        Seconds for the rounds on one placement of the arrays in memory.
    least, most : int
        Bounds on the number of those rounds.
    placements : int
        How often the arrays are placed anew; the rounds of all placements count alike.
    """

    burst: float
    budget: float
    least: int
    most: int
    placements: int


FULL = Effort(burst=1e-3, budget=0.4, least=5, most=61, placements=5)
QUICK = Effort(burst=3e-4, budget=0.1, least=3, most=21, placements=3)
_TRIES = 4  # the last one counts, whatever happened during it


def ratio(series):
    """Return median, 10th and 90th percentile of a series, as ``ratio``, ``low`` and ``high``."""
    low, median, high = np.percentile(series, (10, 50, 90))
    return {"ratio": float(median), "low": float(low), "high": float(high)}


def microseconds(series):
    """Return the median of some seconds in microseconds."""
    return float(np.median(series) * 1e6)


def first_call(function):
    """Return the seconds of one call: for a kernel that is not compiled yet, those of its compilation."""
    start = perf_counter()
    function()
    return perf_counter() - start


def _burst(function, calls):
    """Return the seconds per call of some calls in a row."""
    start = perf_counter()
    for _ in repeat(None, calls):
        function()
    return (perf_counter() - start) / calls


def _switches():
    """Return how often the system has taken the processor away from this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _undisturbed(function, calls):
    """Return the seconds per call of a burst, tried again where the system gave the processor to others meanwhile."""
    for _ in repeat(None, _TRIES):
        before, seconds = _switches(), _burst(function, calls)
        if _switches() == before:
            break
    return seconds


def _calls(function, burst):
    """Warm a subject up and return how many calls fill a burst."""
    calls = 1
    function()
    while (seconds := min(_burst(function, calls) for _ in range(3)) * calls) < burst / 4:
        calls *= 4
    return max(1, round(calls * burst / seconds))


def interleave(subjects, effort):
    """Time some functions in turn, round by round, starting each round with another one.

    Parameters
    ----------
    subjects : dict of str to callable
    effort : Effort

    Returns
    -------
    dict of str to ndarray
        Seconds per call, one entry per round.
    """
    calls = {name: _calls(function, effort.burst) for name, function in subjects.items()}
    once = sum(_burst(subjects[name], n) * n for name, n in calls.items())
    rounds = int(np.clip(effort.budget / once, effort.least, effort.most))
    seconds = {name: np.empty(rounds) for name in subjects}
    names = list(subjects)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            seconds[name][i] = _undisturbed(subjects[name], calls[name])
    return seconds
