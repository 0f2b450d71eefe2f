"""Both arms of a comparison: the same network with and without batch norm, over learning rates and seeds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minibn.data.stream import INIT, generator
from minibn.lab.answers import bands
from minibn.lab.comparison.pairs import WITH, WITHOUT
from minibn.lab.report import Series
from minibn.lab.steps import StepTrainer
from minibn.nn import mlp
from minibn.train import SGD

ARMS = (True, False)
NAMES = {True: WITH, False: WITHOUT}
EPS, BN_MOMENTUM = 1e-5, 0.1
WORKING = 0.10  # accuracy below the arm's best at which a rate still works
WORKS = "within 10 points of the best, and at least half way there from the majority share"
_FIRST_TUNING_SEED = 1000


def enough(best, baseline):
    """Return the accuracy from which a network works: near the best, and far from naming the majority class."""
    return np.maximum(best - WORKING, (best + baseline) / 2)


@dataclass(frozen=True)
class Recipe:
    """A network and how long it trains, all but the learning rate.

    Attributes
    ----------
    hidden : tuple of int
    activation : str
    init : str or None
    init_scale : float or None
        See :func:`minibn.nn.mlp`.
    batch_size, steps : int
        The batch is no larger than the training part.
    engine : str
    change : callable or None
        Takes the network with batch norm and returns the one to train in its place.
    """

    hidden: tuple
    activation: str = "relu"
    init: str | None = None
    init_scale: float | None = None
    batch_size: int = 64
    steps: int = 300
    engine: str = "program"
    change: Callable | None = None

    def network(self, draw, bn, seed):
        """Return the untrained network: the same weights in both arms."""
        model = mlp(
            [draw.x.shape[1], *self.hidden, draw.classes],
            bn=bn,
            activation=self.activation,
            rng=generator(seed, INIT),
            init=self.init,
            init_scale=self.init_scale,
            bn_momentum=BN_MOMENTUM,
            bn_eps=EPS,
        )
        return self.change(model) if self.change and bn else model


@dataclass(frozen=True, eq=False)
class Trained:
    """One run.

    Attributes
    ----------
    model : Sequential
    accuracy : float
        Share of the judging rows right; the majority share for a diverged run.
    diverged : bool
    seen : list
        What ``look`` returned at each of the steps looked at, up to a divergence.
    losses : list of float
        Of each batch, in training mode.
    """

    model: Any
    accuracy: float
    diverged: bool
    seen: list
    losses: list


def trained(recipe, draw, *, bn, lr, seed, looks=(), look=None):
    """Train one network by SGD without momentum.

    Parameters
    ----------
    recipe : Recipe
    draw : Draw
    bn : bool
    lr : float
        Learning rate.
    seed : int
        Fixes initial weights and order of rows.
    looks : sequence of int
        Steps after which ``look(model)`` is called; 0 is before training.

    Returns
    -------
    Trained
    """
    model, seen = recipe.network(draw, bn, seed), []
    batch = min(recipe.batch_size, len(draw.y))
    trainer = StepTrainer(
        model, draw.x, draw.y, optimizer=SGD(lr), batch_size=batch, seed=seed, engine=recipe.engine
    )
    for step in sorted({*looks, recipe.steps}):
        with np.errstate(all="ignore"):
            trainer.advance(step - len(trainer.losses))
        if trainer.diverged:
            break
        if look and step in looks:
            seen.append(look(model))
    accuracy = draw.baseline if trainer.diverged else trainer.accuracy(draw.x_judged, draw.y_judged)
    return Trained(model, accuracy, trainer.diverged, seen, trainer.losses)


@dataclass(frozen=True, eq=False)
class RateGrid:
    """Both arms over learning rates.

    Attributes
    ----------
    rates, seeds : tuple
    accuracy : dict of bool to ndarray, shape (rates, seeds)
        By arm: with and without batch norm.
    diverged : dict of bool to ndarray of bool, shape (rates, seeds)
    baseline : ndarray, shape (seeds,)
        Majority share of the judging rows.
    """

    rates: tuple
    seeds: tuple
    accuracy: dict
    diverged: dict
    baseline: np.ndarray

    def best(self, bn):
        """Return the rate of the highest mean accuracy; the smallest of several."""
        return self.rates[int(self.accuracy[bn].mean(axis=1).argmax())]

    def at(self, bn, rate):
        """Return the accuracies at a rate, shape (seeds,)."""
        return self.accuracy[bn][self.rates.index(rate)]

    def largest_working(self, bn):
        """Return per seed the largest rate that works.

        A rate works where the run did not diverge and its accuracy is :func:`enough` beside the arm's best.
        """
        near = self.accuracy[bn] >= enough(self.accuracy[bn].max(axis=0), self.baseline)
        working = near & ~self.diverged[bn]
        working[0] |= ~working.any(axis=0)  # where every run diverged, the smallest rate bounds it from above
        return np.array([self.rates[np.flatnonzero(column)[-1]] for column in working.T])


def over_rates(recipe, draws, rates, seeds, *, tuning=False, arms=ARMS):
    """Train both arms at each rate with each seed.

    Returns
    -------
    RateGrid
    """
    runs = {
        bn: [[trained(recipe, draws(s, tuning), bn=bn, lr=rate, seed=s) for s in seeds] for rate in rates]
        for bn in arms
    }
    return RateGrid(
        tuple(rates),
        tuple(seeds),
        {bn: np.array([[run.accuracy for run in row] for row in runs[bn]]) for bn in arms},
        {bn: np.array([[run.diverged for run in row] for row in runs[bn]]) for bn in arms},
        np.array([draws(s, tuning).baseline for s in seeds]),
    )


def tuning_seeds(seeds, n):
    """Return n seeds to tune on, none of them among those reported."""
    taken, found, seed = set(seeds), [], _FIRST_TUNING_SEED
    while len(found) < n:
        if seed not in taken:
            found.append(seed)
        seed += 1
    return tuple(found)


def tuned(recipe, draws, rates, seeds, arms=ARMS):
    """Return the best rate of each arm on tuning seeds, judged on rows of their training parts."""
    grid = over_rates(recipe, draws, rates, seeds, tuning=True, arms=arms)
    return {bn: grid.best(bn) for bn in arms}


def at_rates(recipe, draws, rates, seeds):
    """Return the accuracies of each arm at its own rate: dict of bool to ndarray, shape (seeds,)."""
    return {bn: over_rates(recipe, draws, (rates[bn],), seeds, arms=(bn,)).accuracy[bn][0] for bn in rates}


def arm_series(bn, x, rows, **options):
    """Return the Series of an arm: means over the last axis of ``rows`` (places, seeds), with 95 % intervals."""
    mean, low, high = bands(rows)
    options = {"label": NAMES[bn], "arm": NAMES[bn]} | options
    return Series(x=list(x), y=mean, low=low, high=high, **options)


def accuracy_series(bn, x, accuracy, **options):
    """Return the Series of an arm in percent; its intervals end at 0 and 100."""
    return arm_series(bn, x, 100 * np.asarray(accuracy), **options).within(0, 100)


def conditions(draws, recipe, seeds, setup, **more):
    """Return what every study says about its runs, JSON-able."""
    return {
        **draws.conditions(),
        "network": f"{len(recipe.hidden)} hidden layers of {recipe.hidden[0]} {recipe.activation} units",
        "training": f"SGD without momentum, batch size {recipe.batch_size}, {recipe.steps} steps",
        "bn": f"eps {EPS:g} inside the root, running statistics give {BN_MOMENTUM} to the new value, unbiased variance",
        "seeds": list(seeds),
        **more,
        **({"quick": "fewer seeds and steps than the study needs: a weaker answer"} if setup.quick else {}),
    }
