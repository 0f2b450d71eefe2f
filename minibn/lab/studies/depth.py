"""How deep a plain network can be and still train, with and without batch norm."""

from dataclasses import dataclass

import numpy as np

from minibn.lab.answers import (
    difference_numbers,
    in_points,
    log_difference,
    points_cell,
    points_text,
    ratio_answer,
    ratio_text,
)
from minibn.lab.arms import (
    ARMS,
    NAMES,
    WORKS,
    Recipe,
    accuracy_series,
    at_rates,
    conditions,
    enough,
    tuned,
    tuning_seeds,
)
from minibn.lab.draws import Draws
from minibn.lab.report import Lines, Table
from minibn.lab.studies.parts import report_of_parts
from minibn.lab.studies.study import study

QUESTION = "Do deeper networks become trainable with batch norm?"
SOURCE = (
    "Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.2; Yang et al. 2019, arXiv:1902.08129 for its limits"
)
DEPTHS = (1, 2, 3, 5, 10, 20)
ACTIVATIONS = ("relu", "sigmoid")
RATES = (0.03, 0.1, 0.3, 1.0)


@dataclass(frozen=True, eq=False)
class Depths:
    """Accuracy over depths of one activation: by arm, shape (depths, seeds), each at its own rate."""

    activation: str
    depths: tuple
    accuracy: dict
    rates: dict
    baseline: np.ndarray

    def trainable(self, bn):
        """Return per seed the deepest network that trains, all shallower ones training too.

        A network trains when its accuracy is enough beside the best of that seed, of either arm.
        """
        best = np.maximum(*(self.accuracy[arm].max(axis=0) for arm in ARMS))
        trains = np.logical_and.accumulate(self.accuracy[bn] >= enough(best, self.baseline), axis=0)
        return [self.depths[max(int(count) - 1, 0)] for count in trains.sum(axis=0)]

    @property
    def ratio(self):
        """Logarithm of the ratio of the trainable depths."""
        return log_difference(*(self.trainable(bn) for bn in ARMS))


@study(
    "depth",
    question=QUESTION,
    source=SOURCE,
    statement="deeper networks become trainable",
    seconds=80,
)
def depth(setup):
    """Train networks of 1 to 20 hidden layers at rates tuned for each; see :class:`Setup`."""
    seeds, draws = setup.seeds_or(5, 2), Draws(setup.data, setup.target)
    others = tuning_seeds(seeds, 1 if setup.quick else 4)
    depths, rates, steps = ((1, 3, 10), RATES[1::2], 60) if setup.quick else (DEPTHS, RATES, 300)
    found = []
    for activation in ACTIVATIONS:
        setup.progress(f"{activation}: {len(depths)} depths, {len(rates)} rates, {len(seeds)} seeds")
        found.append(_depths(draws, activation, depths, rates, steps, seeds, others))
    told = conditions(draws, Recipe((100,), steps=steps), seeds, setup) | {
        "network": f"{', '.join(map(str, depths))} hidden layers of 100 units, no skips, He-uniform weights (relu) or "
        "Glorot-uniform (sigmoid)",
        "rates": ", ".join(f"{rate:g}" for rate in rates) + ", the best for each arm and depth",
        "tuning": f"on seeds {list(others)}, judged inside their training parts",
        "trains": f"{WORKS}; all shallower ones too",
    }
    return _report(found, told)


def _depths(draws, activation, depths, rates, steps, seeds, others):
    accuracy, own = {bn: [] for bn in ARMS}, {bn: [] for bn in ARMS}
    baseline = np.array([draws(s).baseline for s in seeds])
    for layers in depths:
        recipe = Recipe((100,) * layers, activation, steps=steps)
        best = tuned(recipe, draws, rates, others)
        found = at_rates(recipe, draws, best, seeds)
        for bn in ARMS:
            accuracy[bn].append(found[bn])
            own[bn].append(best[bn])
    return Depths(activation, depths, {bn: np.array(accuracy[bn]) for bn in ARMS}, own, baseline)


def _report(found, told):
    answers = {d.activation: ratio_answer(*(d.trainable(bn) for bn in ARMS)) for d in found}
    return report_of_parts(
        found,
        answers,
        statements=_statements,
        table=_table,
        chart=_chart,
        numbers=_numbers,
        name="depth",
        title="How deep a plain network can be and still train",
        question=QUESTION,
        conditions=told,
        source=SOURCE,
    )


def _statements(d):
    deepest = {bn: np.median(d.trainable(bn)) for bn in ARMS}
    gain = in_points(*(d.accuracy[bn][-1] for bn in ARMS))
    return (
        f"{d.activation}: the deepest network that trains (accuracy within 10 points of the best of either arm) has "
        f"{deepest[True]:g} hidden layers with batch norm and {deepest[False]:g} without, {ratio_text(d.ratio)} as "
        f"many; {d.depths[-1]} was the deepest tried.",
        f"{d.activation}, {d.depths[-1]} hidden layers, each arm at its own rate: batch norm changes the accuracy by "
        f"{points_text(gain)}.",
    )


def _table(d):
    rows = [
        (
            layers,
            *(f"{d.accuracy[bn][i].mean():.3f} ({d.rates[bn][i]:g})" for bn in ARMS),
            points_cell(in_points(*(d.accuracy[bn][i] for bn in ARMS))),
        )
        for i, layers in enumerate(d.depths)
    ]
    head = ("hidden layers", *(f"{NAMES[bn]} (rate)" for bn in ARMS), "difference in points (95 % interval)")
    return Table(f"accuracy, {d.activation}", head, tuple(rows))


def _chart(d):
    series = tuple(accuracy_series(bn, d.depths, d.accuracy[bn]) for bn in ARMS)
    return Lines(
        f"{d.activation}, rates tuned on other seeds", "hidden layers", "accuracy (%)", series, log_x=True
    )


def _numbers(d):
    return {
        "depths": list(d.depths),
        "tuned_rate": {NAMES[bn]: d.rates[bn] for bn in ARMS},
        "accuracy": {NAMES[bn]: d.accuracy[bn].tolist() for bn in ARMS},
        "trainable_depth": {NAMES[bn]: d.trainable(bn) for bn in ARMS},
        "log_ratio": difference_numbers(d.ratio),
    }
