"""The control: a fixed NumPy workload, timed twice in every round, whose ratio to itself is 1 on a silent machine."""

import numpy as np

from benchmarks.measure import ratio

WHAT = "sum of squares of 16,384 float32 in NumPy, timed twice in each round; ratio = first / second"
FIRST, SECOND = "control", "control again"


def subjects():
    """Return the control as two subjects."""
    data = np.random.default_rng(0).standard_normal(16384, np.float32)
    work = np.empty_like(data)

    def run():
        np.add.reduce(np.multiply(data, data, out=work))

    return {FIRST: run, SECOND: run}


def ratios(seconds):
    """Return the ratio of the control to itself, round by round."""
    return seconds[FIRST] / seconds[SECOND]


def summary(series, threads, what=WHAT):
    """Return a report of the control over all comparisons of a process."""
    return {"what": what, "threads": threads, **ratio(np.concatenate(series))}
