"""Bjorck et al.: batch norm allows larger learning rates, and these are what makes it better."""

from dataclasses import dataclass

import numpy as np

from minibn.lab.answers import (
    answer,
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
    RateGrid,
    Recipe,
    accuracy_series,
    conditions,
    over_rates,
    tuned,
    tuning_seeds,
)
from minibn.lab.draws import Draws
from minibn.lab.report import Lines, Table
from minibn.lab.studies.parts import report_of_parts
from minibn.lab.studies.study import study

SOURCE = "Bjorck, Gomes, Selman and Weinberger 2018, arXiv:1806.02375; scaled down"
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
DEPTHS = (3, 10)


@dataclass(frozen=True, eq=False)
class Depth:
    """Both arms of one depth over all rates, and the rates tuned on other seeds."""

    hidden: int
    grid: RateGrid
    rates: dict

    @property
    def largest(self):
        """Largest working rate per seed, of each arm."""
        return {bn: self.grid.largest_working(bn) for bn in ARMS}

    @property
    def ratio(self):
        """Logarithm of the ratio of the largest working rates."""
        return log_difference(self.largest[True], self.largest[False])

    @property
    def tuned_gain(self):
        """Accuracy at each arm's own rate, in points."""
        return in_points(*(self.grid.at(bn, self.rates[bn]) for bn in ARMS))

    @property
    def equal_gain(self):
        """Accuracy at the smallest rate, the same in both arms, in points."""
        return in_points(*(self.grid.accuracy[bn][0] for bn in ARMS))


@study(
    "learning-rates",
    question="Does batch norm allow a larger learning rate?",
    source=SOURCE,
    statement="higher learning rates without divergence",
    seconds=30,
)
def learning_rates(setup):
    """Train both arms over a grid of rates at two depths; see :class:`Setup`."""
    seeds = setup.seeds_or(5, 2)
    steps, rates = (60, RATES[1::2]) if setup.quick else (300, RATES)
    draws, others = Draws(setup.data, setup.target), tuning_seeds(seeds, 1 if setup.quick else 3)
    found = []
    for hidden in DEPTHS:
        setup.progress(f"{hidden} hidden layers, {len(rates)} rates, {len(seeds)} seeds")
        recipe = Recipe((100,) * hidden, steps=steps)
        own = tuned(recipe, draws, rates, others)
        found.append(Depth(hidden, over_rates(recipe, draws, rates, seeds), own))
    return _report(found, conditions(draws, recipe, seeds, setup, **_more(rates, others)))


def _more(rates, others):
    return {
        "network": f"{' and '.join(map(str, DEPTHS))} hidden layers of 100 relu units, He-uniform weights",
        "rates": ", ".join(f"{rate:g}" for rate in rates),
        "tuning": f"best rate of each arm on seeds {list(others)}, judged inside their training parts",
        "works": f"no divergence; {WORKS}",
    }


def _report(found, told):
    answers = {f"{d.hidden} hidden layers": ratio_answer(d.largest[True], d.largest[False]) for d in found}
    return report_of_parts(
        found,
        answers,
        statements=_statements,
        table=_table,
        chart=_chart,
        numbers=_numbers,
        name="learning-rates",
        title="How large a learning rate each arm takes",
        question="Does batch norm allow a larger learning rate?",
        conditions=told,
        source=SOURCE,
    )


def _statements(d):
    own = " and ".join(f"{d.rates[bn]:g} {NAMES[bn]}" for bn in ARMS)
    return (
        f"{d.hidden} hidden layers: the largest working rate (no divergence, within 10 points of the arm's best) is "
        f"{_median(d, True)} with batch norm and {_median(d, False)} without, {ratio_text(d.ratio)} as large.",
        f"{d.hidden} hidden layers, rates tuned on other seeds ({own}): batch norm changes the accuracy by "
        f"{points_text(d.tuned_gain)}.",
        f"{d.hidden} hidden layers, both at the small rate {d.grid.rates[0]:g}: by {points_text(d.equal_gain)}.",
    )


def _median(d, bn):
    return f"{np.median(d.largest[bn]):g}"


def _table(d):
    rows = [
        (f"{rate:g}", *(_cell(d, bn, i) for bn in ARMS), points_cell(_gain(d, i)))
        for i, rate in enumerate(d.grid.rates)
    ]
    head = ("rate", *(NAMES[bn] for bn in ARMS), "difference in points (95 % interval)")
    return Table(f"accuracy after training, {d.hidden} hidden layers", head, tuple(rows))


def _gain(d, i):
    return in_points(*(d.grid.accuracy[bn][i] for bn in ARMS))


def _cell(d, bn, i):
    gone = int(d.grid.diverged[bn][i].sum())
    text = f"{d.grid.accuracy[bn][i].mean():.3f}"
    return text if not gone else f"{text} ({gone} of {len(d.grid.seeds)} diverged)"


def _chart(d):
    series = tuple(accuracy_series(bn, d.grid.rates, d.grid.accuracy[bn]) for bn in ARMS)
    title = f"{d.hidden} hidden layers (a diverged run scores the majority share)"
    return Lines(title, "learning rate", "accuracy (%)", series, log_x=True)


def _numbers(d):
    return {
        "rates": list(d.grid.rates),
        "accuracy": {NAMES[bn]: d.grid.accuracy[bn].tolist() for bn in ARMS},
        "diverged": {NAMES[bn]: d.grid.diverged[bn].sum(axis=1).tolist() for bn in ARMS},
        "largest_working_rate": {NAMES[bn]: d.largest[bn].tolist() for bn in ARMS},
        "log_ratio": difference_numbers(d.ratio),
        "tuned_rate": {NAMES[bn]: d.rates[bn] for bn in ARMS},
        "tuned_difference": difference_numbers(d.tuned_gain) | {"answer": answer(d.tuned_gain)},
        "difference_at_smallest_rate": difference_numbers(d.equal_gain),
    }
