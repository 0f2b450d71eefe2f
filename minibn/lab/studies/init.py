"""How much the initial scale matters, with and without batch norm."""

from dataclasses import dataclass

import numpy as np

from minibn.lab.answers import (
    answer,
    change_text,
    difference_numbers,
    in_points,
    points_cell,
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

QUESTION = "Does training depend less on the scale of the initial weights with batch norm?"
SOURCE = "Ioffe and Szegedy 2015, arXiv:1502.03167, section 3.3; van Laarhoven 2017, arXiv:1706.05350"
GAINS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
ACTIVATIONS = ("relu", "tanh", "sigmoid")
RATE, RATES = 0.1, (0.0001, 0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """Accuracy over gains of one activation: by arm, shape (gains, seeds), at one rate and at each arm's own."""

    activation: str
    gains: tuple
    equal: dict
    tuned: dict
    rates: dict
    baseline: np.ndarray

    def shortfall(self, kind, bn):
        """Return per seed how far the accuracy stays, on average over gains, below the best of either arm."""
        accuracy = getattr(self, kind)
        best = np.maximum(*(accuracy[arm].max(axis=0) for arm in ARMS))
        return (best - accuracy[bn]).mean(axis=0)

    def saved(self, kind):
        """Return how much of the shortfall batch norm saves, in points."""
        return in_points(self.shortfall(kind, False), self.shortfall(kind, True))

    def working(self, kind, bn):
        """Return the gains whose mean accuracy is enough beside the best of either arm."""
        means = {arm: getattr(self, kind)[arm].mean(axis=1) for arm in ARMS}
        least = enough(max(mean.max() for mean in means.values()), self.baseline.mean())
        return [gain for gain, found in zip(self.gains, means[bn], strict=True) if found >= least]


@study(
    "init",
    question=QUESTION,
    source=SOURCE,
    statement="less dependence on initialization; more consistent across seeds",
    seconds=65,
)
def init(setup):
    """Train five hidden layers of 100 units from weights of seven scales; see :class:`Setup`."""
    seeds, draws = setup.seeds_or(5, 2), Draws(setup.data, setup.target)
    others = tuning_seeds(seeds, 1)
    gains, steps, rates = ((0.1, 1.0, 10.0), 60, RATES[1::2]) if setup.quick else (GAINS, 300, RATES)
    curves = []
    for activation in ACTIVATIONS:
        setup.progress(f"{activation}: {len(gains)} gains, {len(seeds)} seeds")
        curves.append(_curve(draws, activation, gains, rates, steps, seeds, others))
    told = conditions(draws, Recipe((100,) * 5, steps=steps), seeds, setup) | {
        "network": "5 hidden layers of 100 units, He-uniform weights (relu) or Glorot-uniform (tanh, sigmoid) times the gain",
        "rates": f"{RATE:g} in both arms; and the best of {', '.join(f'{r:g}' for r in rates)} for each arm and gain",
        "tuning": f"on seeds {list(others)}, judged inside their training parts",
        "works": WORKS,
    }
    return _report(curves, told)


def _curve(draws, activation, gains, rates, steps, seeds, others):
    equal, own, chosen = {bn: [] for bn in ARMS}, {bn: [] for bn in ARMS}, {bn: [] for bn in ARMS}
    for gain in gains:
        recipe = Recipe((100,) * 5, activation, init_scale=gain, steps=steps)
        best = tuned(recipe, draws, rates, others)
        same, each = (
            at_rates(recipe, draws, dict.fromkeys(ARMS, RATE), seeds),
            at_rates(recipe, draws, best, seeds),
        )
        for bn in ARMS:
            equal[bn].append(same[bn])
            own[bn].append(each[bn])
            chosen[bn].append(best[bn])
    stacked = [{bn: np.array(rows[bn]) for bn in ARMS} for rows in (equal, own)]
    return Curve(activation, gains, *stacked, chosen, np.array([draws(s).baseline for s in seeds]))


def _report(curves, told):
    answers = {c.activation: answer(c.saved("tuned")) for c in curves}
    return report_of_parts(
        curves,
        answers,
        statements=_statements,
        table=_table,
        chart=_chart,
        numbers=_numbers,
        name="init",
        title="How much the initial scale matters",
        question=QUESTION,
        conditions=told,
        source=SOURCE,
    )


def _statements(c):
    for kind, how in (("tuned", "rates tuned for each gain"), ("equal", f"rate {RATE:g}")):
        short = {bn: 100 * c.shortfall(kind, bn).mean() for bn in ARMS}
        yield (
            f"{c.activation}, {how}: over gains {c.gains[0]:g} to {c.gains[-1]:g} the accuracy stays on average "
            f"{short[True]:.1f} points below the best of either arm with batch norm and {short[False]:.1f} without; "
            f"batch norm {change_text(c.shortfall(kind, False), c.shortfall(kind, True), 'saves', 'costs')}. Within 10 points of that best: "
            f"{_listed(c.working(kind, True))} with, {_listed(c.working(kind, False))} without."
        )


def _listed(gains):
    return "gains " + ", ".join(f"{gain:g}" for gain in gains) if gains else "no gain"


def _table(c):
    rows = [
        (
            f"{gain:g}",
            *(f"{c.equal[bn][i].mean():.3f}" for bn in ARMS),
            *(f"{c.tuned[bn][i].mean():.3f} ({c.rates[bn][i]:g})" for bn in ARMS),
            points_cell(in_points(*(c.tuned[bn][i] for bn in ARMS))),
        )
        for i, gain in enumerate(c.gains)
    ]
    head = ("gain", f"with, {RATE:g}", f"without, {RATE:g}", "with, tuned (rate)", "without, tuned (rate)",
            "difference tuned, points (95 % interval)")  # fmt: skip
    return Table(f"accuracy, {c.activation}", head, tuple(rows))


def _chart(c):
    own = tuple(accuracy_series(bn, c.gains, c.tuned[bn], label=f"{NAMES[bn]}, tuned rate") for bn in ARMS)
    same = tuple(
        accuracy_series(bn, c.gains, c.equal[bn], label=f"{NAMES[bn]}, rate {RATE:g}", style="dotted")
        for bn in ARMS
    )
    return Lines(c.activation, "gain on the initial weights", "accuracy (%)", own + same, log_x=True)


def _numbers(c):
    return {
        "gains": list(c.gains),
        "tuned_rate": {NAMES[bn]: c.rates[bn] for bn in ARMS},
        **{
            kind: {NAMES[bn]: getattr(c, kind)[bn].tolist() for bn in ARMS}
            | {
                "saved": difference_numbers(c.saved(kind)),
                "answer": answer(c.saved(kind)),
                "working_gains": {NAMES[bn]: c.working(kind, bn) for bn in ARMS},
            }
            for kind in ("equal", "tuned")
        },
    }
