"""Ioffe and Szegedy, section 4.1: steps to an accuracy, and what goes into a sigmoid over time."""

from dataclasses import dataclass, replace

import numpy as np

from minibn.lab.activity import last_sigmoid_input, percentiles
from minibn.lab.answers import (
    combined,
    difference_numbers,
    in_points,
    log_difference,
    points_cell,
    points_text,
    ratio_answer,
    ratio_text,
)
from minibn.lab.arms import ARMS, NAMES, Recipe, accuracy_series, arm_series, conditions, trained
from minibn.lab.draws import Draws
from minibn.lab.reach import at_most, looks, median_steps, reached_text, steps_to
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import CANNOT_TELL
from minibn.lab.studies.study import study

QUESTION = "Does a network of sigmoid units get to an accuracy in fewer steps with batch norm?"
SOURCE = "Ioffe and Szegedy 2015, arXiv:1502.03167, section 4.1 and figure 1"
SETTINGS = ((0.1, 0.5), (0.1, 0.1), (0.01, 0.5), (0.01, 0.1))  # standard deviation of the weights, rate
LEVELS = (0.8, 0.9)
STEPS, STEPS_LARGE = 4000, 20_000
LARGE = 10_000  # training rows from which the long run of the paper's kind is made
WATCHED, EARLY, FAR = (
    2000,
    100,
    4.0,
)  # rows looked at on the way; the early look; input beyond which sigmoids are flat

_NARROW = 1e-9  # a width below is none


@dataclass(frozen=True)
class Look:
    """One look at a network: accuracy, and the inputs of the last hidden layer's sigmoids."""

    accuracy: float
    unit: tuple
    width: float
    far: float


@dataclass(frozen=True, eq=False)
class Setting:
    """The runs of one initial deviation and rate: by arm, one per seed."""

    std: float
    lr: float
    steps: tuple
    runs: dict

    @property
    def name(self):
        """Deviation and rate."""
        return f"weights {self.std:g}, rate {self.lr:g}"

    def reached(self, bn, level):
        """Return the steps to an accuracy per seed, None where it was not reached."""
        return [steps_to(self.steps, [look.accuracy for look in run.seen], level) for run in self.runs[bn]]

    def sooner(self, level):
        """Return steps without over steps with batch norm as logarithms; a run that did not get there counts as the last step."""
        return log_difference(*(at_most(self.reached(bn, level), self.steps[-1]) for bn in (False, True)))

    def answer(self, level):
        """Say whether batch norm got there sooner; where most runs of both never did, or at once, no one can tell."""
        medians = {median_steps(self.reached(bn, level)) for bn in ARMS}
        if medians <= {None, self.steps[0]} and len(medians) == 1:
            return CANNOT_TELL
        return ratio_answer(*(at_most(self.reached(bn, level), self.steps[-1]) for bn in (False, True)))

    @property
    def final(self):
        """Difference of the final accuracy in points."""
        return in_points(*([run.accuracy for run in self.runs[bn]] for bn in ARMS))

    def over_time(self, bn, field):
        """Return a field of the looks, shape (looks, seeds); a diverged run stays as it ended."""
        return np.array([[getattr(look, field) for look in self._looks(run)] for run in self.runs[bn]]).T

    def _looks(self, run):
        last = run.seen[-1] if run.seen else Look(run.accuracy, (0.0, 0.0, 0.0), 0.0, 0.0)
        return run.seen + [replace(last, accuracy=run.accuracy)] * (len(self.steps) - len(run.seen))

    def growth(self, bn):
        """Return per seed how many times wider the sigmoids' inputs are at the end than early on."""
        width = np.maximum(self.over_time(bn, "width"), _NARROW)
        return width[-1] / width[self.early]

    @property
    def early(self):
        """Position of the look nearest to step 100."""
        return int(np.argmin(np.abs(np.array(self.steps) - EARLY)))


@study(
    "ioffe-szegedy",
    question=QUESTION,
    source=SOURCE,
    statement="loss falls faster, accuracy rises faster with BN",
    seconds=35,
)
def ioffe_szegedy(setup):
    """Train 3 x 100 sigmoid units on batches of 60 in four settings; see :class:`Setup`."""
    seeds = setup.seeds_or(5, 2)
    draws = Draws(setup.data, setup.target, rows=10**6, binary=True)
    steps = 600 if setup.quick else STEPS_LARGE if len(draws(seeds[0]).y) >= LARGE else STEPS
    found = []
    for std, lr in SETTINGS[:: 3 if setup.quick else 1]:
        setup.progress(f"weights {std:g}, rate {lr:g}: {len(seeds)} seeds of {steps} steps in both arms")
        found.append(_setting(draws, std, lr, steps, seeds))
    recipe = _recipe(SETTINGS[0][0], steps)
    told = conditions(draws, recipe, seeds, setup) | {
        "settings": "normal weights of standard deviation 0.1 and 0.01, rates 0.5 and 0.1, both arms alike, none tuned",
        "measured": f"on {min(WATCHED, len(draws(seeds[0]).y_judged))} judging rows, in evaluation mode",
    }
    return _report(found, told)


def _recipe(std, steps):
    return Recipe((100,) * 3, "sigmoid", "normal", std, batch_size=60, steps=steps)


def _setting(draws, std, lr, steps, seeds):
    times, recipe = looks(20, steps, 30), _recipe(std, steps)
    runs = {
        bn: [
            trained(recipe, draws(s), bn=bn, lr=lr, seed=s, looks=times, look=_watch(draws(s))) for s in seeds
        ]
        for bn in ARMS
    }
    return Setting(std, lr, times, runs)


def _watch(draw):
    x, y = draw.probe(WATCHED)

    def look(model):
        inputs = last_sigmoid_input(model, x)
        low, middle, high = percentiles(inputs)
        return Look(
            float(np.mean(model.predict(x) == y)),
            (float(low[0]), float(middle[0]), float(high[0])),
            float(np.mean(high - low)),
            float(np.mean(np.abs(inputs) > FAR)),
        )

    return look


def _report(found, told):
    first = found[0]
    return Report(
        "ioffe-szegedy",
        "Sigmoid units, with and without batch norm",
        QUESTION,
        combined([setting.answer(LEVELS[0]) for setting in found]),
        (
            *(_steps_statement(s) for s in found),
            *(_final_statement(s) for s in found),
            *_spread_statements(first),
        ),
        (*(_steps_table(found, level) for level in LEVELS), _final_table(found), _far_table(first)),
        (*(_accuracy_chart(s) for s in found), _width_chart(first), _unit_chart(first)),
        {setting.name: _numbers(setting) for setting in found},
        told,
        SOURCE,
    )


def _steps_statement(s):
    medians = {bn: median_steps(s.reached(bn, LEVELS[0])) for bn in ARMS}
    if medians[True] is None:
        return f"{s.name}: not even with batch norm do most runs reach 80 % within {s.steps[-1]} steps."
    without = (
        f"{medians[False]:g} without" if medians[False] is not None else f"not within {s.steps[-1]} without"
    )
    return (
        f"{s.name}: 80 % in {medians[True]:g} steps with batch norm and {without} (medians); without it takes "
        f"{ratio_text(s.sooner(LEVELS[0]))} as many, runs that did not get there counted as the last step."
    )


def _final_statement(s):
    return f"{s.name}: after {s.steps[-1]} steps batch norm changes the accuracy by {points_text(s.final)}."


def _spread_statements(s):
    grown, early = {bn: s.growth(bn) for bn in ARMS}, s.steps[s.early]
    far = {bn: 100 * s.over_time(bn, "far")[-1] for bn in ARMS}
    beyond = in_points(far[True] / 100, far[False] / 100)
    calmer = log_difference(grown[False], grown[True])
    return (
        f"{s.name}: from step {early} to {s.steps[-1]} the 15 to 85 % width of a last-layer sigmoid's input grows "
        f"{np.median(grown[True]):.2g}-fold with batch norm and {np.median(grown[False]):.2g}-fold without, "
        f"{ratio_text(calmer)} as much.",
        f"{s.name}: at the end {far[True].mean():.1f} % of the inputs lie beyond {FAR:g}, where a sigmoid is flat, with "
        f"batch norm and {far[False].mean():.1f} % without, a difference of {points_text(beyond)}"
        + ("." if beyond.mean < 0 else ": saturation late in training does not vanish."),
    )


def _steps_table(found, level):
    rows = [(s.name, *(reached_text(s.reached(bn, level)) for bn in ARMS), _times(s, level)) for s in found]
    head = ("setting", *(NAMES[bn] for bn in ARMS), "without / with (at least)")
    return Table(f"steps to {100 * level:.0f} % accuracy, median of the seeds", head, tuple(rows))


def _times(s, level):
    return ratio_text(s.sooner(level))


def _final_table(found):
    rows = [
        (s.name, *(f"{np.mean([r.accuracy for r in s.runs[bn]]):.4f}" for bn in ARMS), points_cell(s.final))
        for s in found
    ]
    head = ("setting", *(NAMES[bn] for bn in ARMS), "difference in points (95 % interval)")
    return Table("accuracy at the end", head, tuple(rows))


def _far_table(s):
    rows = [
        (
            s.steps[i],
            *(
                f"{s.over_time(bn, field)[i].mean():{form}}"
                for field, form in (("width", ".2f"), ("far", ".1%"))
                for bn in ARMS
            ),
        )
        for i in (s.early, len(s.steps) // 2, len(s.steps) - 1)
    ]
    head = ("step", "width with", "width without", f"beyond {FAR:g} with", f"beyond {FAR:g} without")
    return Table(f"input of the last hidden layer's sigmoids, {s.name}", head, tuple(rows))


def _accuracy_chart(s):
    series = tuple(accuracy_series(bn, s.steps, s.over_time(bn, "accuracy")) for bn in ARMS)
    return Lines(s.name, "step", "accuracy (%)", series, log_x=True)


def _width_chart(s):
    series = tuple(arm_series(bn, s.steps, s.over_time(bn, "width")) for bn in ARMS)
    return Lines(
        f"15 to 85 % width of a sigmoid's input, {s.name}",
        "step",
        "width, mean over units",
        series,
        log_x=True,
    )


def _unit_chart(s):
    return Lines(
        f"one sigmoid of the last hidden layer, {s.name}",
        "step",
        "input: median, 15 to 85 % of the rows",
        tuple(_unit_series(s, bn) for bn in ARMS),
        log_x=True,
    )


def _unit_series(s, bn):
    units = np.array([look.unit for look in s.runs[bn][0].seen]).reshape(-1, 3)
    low, middle, high = units.T.tolist()
    return Series(NAMES[bn], list(s.steps[: len(units)]), middle, low, high, NAMES[bn])


def _numbers(s):
    numbers = {
        f"steps_to_{100 * level:.0f}": {NAMES[bn]: s.reached(bn, level) for bn in ARMS}
        | {"log_ratio": difference_numbers(s.sooner(level)), "answer": s.answer(level)}
        for level in LEVELS
    }
    return numbers | {
        "final_accuracy": {NAMES[bn]: [run.accuracy for run in s.runs[bn]] for bn in ARMS},
        "final_difference": difference_numbers(s.final),
        "steps": list(s.steps),
        "width": {NAMES[bn]: s.over_time(bn, "width").tolist() for bn in ARMS},
        "beyond_4": {NAMES[bn]: s.over_time(bn, "far").tolist() for bn in ARMS},
        "one_unit": {NAMES[bn]: [list(look.unit) for look in s.runs[bn][0].seen] for bn in ARMS},
        "diverged": {NAMES[bn]: sum(run.diverged for run in s.runs[bn]) for bn in ARMS},
    }
