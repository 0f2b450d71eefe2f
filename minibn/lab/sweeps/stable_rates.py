"""How large a learning rate each arm of a grid bears."""

from dataclasses import dataclass

from minibn.lab.comparison.pairs import WITH, WITHOUT

_LEARNED = 0.1  # share of the majority baseline's errors that a network which learns gets right
NEAR_BEST = 10.0  # points of accuracy below the arm's best that still count as working


@dataclass(frozen=True)
class StableRate:
    """What one arm makes of the learning rates of a grid, at one value of everything else.

    Attributes
    ----------
    values : dict
        The other axes.
    arm : str
    best_lr, best_accuracy : float
        Rate with the highest mean accuracy, and that accuracy in points: chosen and scored on the same seeds.
    learns : bool
        Whether that accuracy gets at least a tenth of the majority baseline's errors right.
    finite : float or None
        Largest rate at which no run diverged.
    stable : float or None
        Largest rate at which no run diverged and the mean accuracy is within 10 points of the best one; None where
        there is none, or the arm learns nothing at any rate.
    largest_tried : float
    """

    values: dict
    arm: str
    best_lr: float
    best_accuracy: float
    learns: bool
    finite: float | None
    stable: float | None
    largest_tried: float


def stable_rates(cells):
    """Return a StableRate for each arm and each combination of the other axes; none without an axis of rates.

    Parameters
    ----------
    cells : list of Cell
    """
    groups: dict = {}
    for cell in cells:
        if "lr" in cell.values:
            others = tuple((name, value) for name, value in cell.values.items() if name != "lr")
            groups.setdefault(others, []).append(cell)
    return [_rate(dict(others), arm, group) for others, group in groups.items() for arm in (WITH, WITHOUT)]


def _rate(others, arm, cells):
    found = sorted(((cell.values["lr"], cell.arms[arm]) for cell in cells), key=lambda pair: pair[0])
    best_lr, best = max(found, key=lambda pair: pair[1].mean)
    learns = best.mean >= best.baseline + _LEARNED * (100 - best.baseline)
    finite = [lr for lr, one in found if not one.diverged]
    near = [lr for lr, one in found if not one.diverged and one.mean >= best.mean - NEAR_BEST]
    stable = max(near, default=None) if learns else None
    return StableRate(
        others, arm, best_lr, best.mean, learns, max(finite, default=None), stable, found[-1][0]
    )
