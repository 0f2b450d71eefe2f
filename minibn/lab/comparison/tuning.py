"""Each arm's own learning rate, chosen on seeds that are not reported."""

from dataclasses import dataclass, replace

import numpy as np

from minibn.lab.comparison.pairs import ARMS, pairs

RATES = {
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    "adam": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
}
SEEDS = 5  # to tune on


@dataclass(frozen=True)
class Tuning:
    """Learning rates that were tried, and the best of each arm.

    Attributes
    ----------
    grid : tuple of float
    seeds : tuple of int
        None of those reported.
    accuracy : dict of str to tuple of float
        Mean validation accuracy of each arm at each rate, as a share; diverged runs count as the majority baseline.
    """

    grid: tuple
    seeds: tuple
    accuracy: dict

    @property
    def rates(self):
        """The best rate of each arm; the smallest of equals."""
        return {arm: self.grid[int(np.argmax(means))] for arm, means in self.accuracy.items()}


def tune(settings, reported, grid=None, watch=None):
    """Try a grid of learning rates on seeds that are not reported.

    Parameters
    ----------
    settings : Settings
    reported : sequence of int
        Seeds of the comparison.
    grid : sequence of float, optional
        Eight rates from 0.001 to 3 for SGD, seven from 0.0001 to 0.1 for Adam, where None.
    watch : callable, optional
        See :func:`minibn.lab.pairs`.

    Returns
    -------
    Tuning
    """
    grid = tuple(grid or RATES[settings.optimizer])
    first = max(reported) + 1
    seeds = tuple(range(first, first + SEEDS))
    accuracy = {arm: [] for arm in ARMS}
    for rate in grid:
        tried = list(pairs(replace(settings, lr=rate), seeds, watch=watch))
        for arm, means in accuracy.items():
            means.append(float(np.mean([pair.outcomes[arm].accuracy for pair in tried])))
    return Tuning(grid, seeds, {arm: tuple(means) for arm, means in accuracy.items()})
