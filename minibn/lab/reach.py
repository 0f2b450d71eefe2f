"""How many steps until an accuracy, where some runs never get there."""

import numpy as np


def steps_to(steps, accuracies, level):
    """Return the first of the steps at which an accuracy was reached, or None.

    Parameters
    ----------
    steps : sequence of int
        Where the run was looked at; a diverged run has fewer accuracies.
    accuracies : sequence of float
    level : float

    Returns
    -------
    int or None
    """
    return next((s for s, found in zip(steps, accuracies, strict=False) if found >= level), None)


def median_steps(reached):
    """Return the median with those that never reached it counted as later than all; None where that is one of them."""
    found = float(np.median([np.inf if steps is None else steps for steps in reached]))
    return found if np.isfinite(found) else None


def reached_text(reached):
    """Return the median as text, and how many runs did not get there."""
    median, missing = median_steps(reached), sum(steps is None for steps in reached)
    text = "never" if median is None else f"{median:g}"
    return f"{text} (not reached {missing}/{len(reached)})" if missing else text


def at_most(reached, limit):
    """Return the steps with ``limit`` for runs that did not get there: a lower bound for each."""
    return [limit if steps is None else steps for steps in reached]


def looks(first, last, n):
    """Return about n whole steps from first to last, evenly spaced on a logarithmic scale."""
    return tuple(sorted({int(round(step)) for step in np.geomspace(first, last, n)}))
