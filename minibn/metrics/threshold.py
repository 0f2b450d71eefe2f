"""The threshold on a score that reaches a goal."""

from dataclasses import asdict, dataclass

import numpy as np

from minibn.errors import ArgumentError

from .ranking import counts_by_threshold

GOALS = "recall=VALUE, precision=VALUE or f1"


@dataclass(frozen=True)
class Threshold:
    """A threshold, and what it gives on the rows that it was searched on; on others expect less.

    Attributes
    ----------
    goal : str
    threshold : float
        A row counts as positive where its score is at least this.
    precision, recall, f1 : float
    """

    goal: str
    threshold: float
    precision: float
    recall: float
    f1: float

    def to_dict(self):
        """Return the fields as a dict."""
        return asdict(self)


def threshold_for(y_true, scores, goal):
    """Search the threshold that reaches a goal at the least cost.

    Search on rows that neither trained the model nor judge it in the end.

    Parameters
    ----------
    y_true : array_like of bool or of 0 and 1, shape (N,)
        True, or 1, for the positive class.
    scores : array_like of float, shape (N,)
        Higher for rows that look more positive.
    goal : str
        ``"recall=0.8"``: the best precision among thresholds with at least this recall. ``"precision=0.9"``: the best
        recall among those with at least this precision. ``"f1"``: the best F1. Ties go to the better other figure,
        then to the higher threshold.

    Returns
    -------
    Threshold
        Its threshold lies halfway to the next lower score, so that rounding flips no row.

    Raises
    ------
    ArgumentError
        When the goal cannot be read, or no threshold reaches it, or as for :func:`precision_recall_curve`.
    ShapeError
        When the arrays do not have one axis of the same length.

    Examples
    --------
    >>> from minibn.metrics import threshold_for
    >>> found = threshold_for([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], "recall=0.9")
    >>> found.recall
    1.0
    """
    name, least = parse_goal(goal)
    thresholds, hits, alarms = counts_by_threshold(y_true, scores)
    figures = {"precision": hits / alarms, "recall": hits / hits[0], "f1": 2 * hits / (alarms + hits[0])}
    best = _best(name, least, figures)
    chosen = {figure: float(values[best]) for figure, values in figures.items()}
    return Threshold(goal, _between(thresholds, best), **chosen)


def parse_goal(goal):
    """Read a goal.

    Parameters
    ----------
    goal : str
        ``"recall=0.8"``, ``"precision=0.9"`` or ``"f1"``.

    Returns
    -------
    name : str
    least : float or None
        None for F1.

    Raises
    ------
    ArgumentError
    """
    name, equals, text = str(goal).partition("=")
    if name == "f1" and not equals:
        return name, None
    if name not in ("recall", "precision") or not equals:
        raise ArgumentError(f"goal of a threshold: expected {GOALS}, got {goal!r}")
    try:
        least = float(text)
    except ValueError:
        least = float("nan")
    if not 0 < least <= 1:
        raise ArgumentError(
            f"goal of a threshold: expected a {name} above 0 and up to 1, got {text!r}; 0.8 is usual"
        )
    return name, least


def _best(name, least, figures):
    """Return the index of the threshold that a goal asks for."""
    wanted, other = {"recall": ("precision", "recall"), "precision": ("recall", "precision")}.get(
        name, ("f1", "f1")
    )
    reaching = np.arange(len(figures[name])) if least is None else np.flatnonzero(figures[name] >= least)
    if not len(reaching):
        raise ArgumentError(
            f"no threshold reaches {name} {least:g} on these rows, the best {name} is {figures[name].max():.4g}; ask for less"
        )
    # The last of equal ones is the highest threshold.
    return reaching[np.lexsort((reaching, figures[other][reaching], figures[wanted][reaching]))[-1]]


def _between(thresholds, index):
    """Return a number, in the scores' own precision, above the next lower score and up to this one."""
    here = thresholds[index]
    if index == 0 or here.dtype.kind != "f":
        return here.item()
    below = thresholds[index - 1]
    middle = below / 2 + here / 2
    return (middle if below < middle <= here else here).item()
