"""The trainings of a grid, cell by cell: both arms and what lies between them."""

from dataclasses import asdict, dataclass

from minibn.lab.comparison.pairs import WITH, WITHOUT
from minibn.lab.statistics import (
    CANNOT_TELL,
    HELPS,
    HURTS,
    Difference,
    holm,
    mean_interval,
    paired_difference,
    verdict,
)


@dataclass(frozen=True)
class Arm:
    """One arm of a cell.

    Attributes
    ----------
    accuracies : list of float
        Points on the validation part, one for each seed. A run that diverged scores the majority baseline.
    mean, low, high : float
        Mean with its 95 % interval.
    baseline : float
        Points that naming the most frequent class would get, mean over seeds.
    diverged : int
        Runs whose loss was not finite.
    """

    accuracies: list
    mean: float
    low: float | None
    high: float | None
    baseline: float
    diverged: int


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes
    ----------
    values : dict
        Value of each axis.
    with_bn, without_bn : Arm
    difference : Difference
        Of the accuracies, in points.
    significant : bool
        After Holm's correction over all cells.
    """

    values: dict
    with_bn: Arm
    without_bn: Arm
    difference: Difference
    significant: bool

    @property
    def verdict(self):
        """What the cell allows to say; only a significant one may say that batch norm helps or hurts."""
        found = verdict(self.difference)
        return CANNOT_TELL if found in (HELPS, HURTS) and not self.significant else found

    @property
    def arms(self):
        """Both arms by name."""
        return {WITH: self.with_bn, WITHOUT: self.without_bn}

    def to_dict(self):
        """Return everything about the cell, JSON-able."""
        difference = asdict(self.difference)
        p = difference.pop("p")
        counts = {"diverged_with_bn": self.with_bn.diverged, "diverged_without_bn": self.without_bn.diverged}
        return {
            "values": self.values,
            "with_bn": asdict(self.with_bn),
            "without_bn": asdict(self.without_bn),
            "difference": difference | counts,
            "p": p,
            "significant": self.significant,
            "verdict": self.verdict,
        }


def cells_of(grid, results):
    """Return the cells of a grid whose trials are all done.

    Parameters
    ----------
    grid : Grid
    results : dict
        What :func:`minibn.lab.sweeps.trial.result_of` told of each trial, by its key.

    Returns
    -------
    list of Cell
    """
    arms = [
        [_arm([results[number, bn, seed] for seed in grid.seeds]) for bn in (True, False)]
        for number in range(len(grid.cells))
    ]
    found = [paired_difference(ours.accuracies, theirs.accuracies) for ours, theirs in arms]
    significant = holm([difference.p for difference in found])
    return [
        Cell(values, *pair, difference, certain)
        for values, pair, difference, certain in zip(grid.cells, arms, found, significant, strict=True)
    ]


def _arm(results):
    accuracies = [result["accuracy"] for result in results]
    baseline = sum(result["baseline"] for result in results) / len(results)
    return Arm(
        accuracies, *mean_interval(accuracies), baseline, sum(result["diverged"] for result in results)
    )
