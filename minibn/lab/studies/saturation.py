"""Whether batch norm keeps sigmoid and tanh units off their flat ends, and gradients alive down to the first layer."""

from dataclasses import dataclass

import numpy as np

from minibn.lab.activity import first_to_last, gradient_sizes, saturated_share
from minibn.lab.answers import FACTOR, answer, change_text, combined, difference_numbers, in_points
from minibn.lab.arms import (
    ARMS,
    NAMES,
    Recipe,
    accuracy_series,
    arm_series,
    conditions,
    trained,
    tuned,
    tuning_seeds,
)
from minibn.lab.draws import Draws
from minibn.lab.report import Lines, Report, Table
from minibn.lab.statistics import paired_difference
from minibn.lab.studies.study import study

QUESTION = "Does batch norm keep units from saturating, and gradients from vanishing?"
SOURCE = "Ioffe and Szegedy 2015, arXiv:1502.03167, sections 1 and 4.1"
NETWORKS = (
    ("sigmoid", 1.0),
    ("sigmoid", 5.0),
    ("tanh", 1.0),
    ("tanh", 5.0),
)  # activation, gain on Glorot's weights
RATES = (0.03, 0.1, 0.3, 1.0)
STEPS, TUNING_STEPS, EARLY = (0, 20, 50, 100, 200, 500, 1000, 2000), 300, 20
PROBE = 500  # judging rows looked at


@dataclass(frozen=True, eq=False)
class Course:
    """One network over training: by arm, shape (looks, seeds)."""

    activation: str
    gain: float
    steps: tuple
    rates: dict
    saturated: dict
    gradients: dict
    accuracy: dict
    losses: dict

    @property
    def name(self):
        """Activation and gain."""
        return f"{self.activation}, gain {self.gain:g}"

    def spared(self, step):
        """Return how much smaller the saturated share is with batch norm, in points."""
        i = self.steps.index(step)
        return in_points(self.saturated[False][i], self.saturated[True][i])

    def evened(self, step):
        """Return how much nearer to 1 the ratio of first to last layer's gradient is with batch norm, as a logarithm."""
        i = self.steps.index(step)
        return paired_difference(*(np.abs(np.log(self.gradients[bn][i])) for bn in (False, True)))


@study(
    "saturation",
    question=QUESTION,
    source=SOURCE,
    statement="vanishing and exploding gradients, saturated sigmoid and tanh are relieved",
    seconds=30,
)
def saturation(setup):
    """Watch five hidden layers of sigmoid and tanh units train from ordinary and from large weights."""
    seeds, draws = setup.seeds_or(5, 2), Draws(setup.data, setup.target)
    others = tuning_seeds(seeds, 1)
    steps, rates = (STEPS[:5], RATES[1::2]) if setup.quick else (STEPS, RATES)
    courses = []
    for activation, gain in NETWORKS:
        setup.progress(f"{activation}, gain {gain:g}: {len(seeds)} seeds of {steps[-1]} steps in both arms")
        courses.append(_course(draws, activation, gain, steps, rates, seeds, others))
    told = conditions(draws, Recipe((100,) * 5, steps=steps[-1]), seeds, setup) | {
        "network": "5 hidden layers of 100 units, Glorot-uniform weights times the gain",
        "rates": f"best of {', '.join(f'{rate:g}' for rate in rates)} for each arm after {min(TUNING_STEPS, steps[-1])} "
        f"steps, on seeds {list(others)}, judged inside their training parts",
        "measured": f"on {min(PROBE, len(draws(seeds[0]).y_judged))} judging rows, normalised by their own statistics; "
        "saturated: derivative below 5 % of the largest",
    }
    return _report(courses, told)


def _course(draws, activation, gain, steps, rates, seeds, others):
    recipe = Recipe((100,) * 5, activation, init_scale=gain, steps=steps[-1])
    short = Recipe((100,) * 5, activation, init_scale=gain, steps=min(TUNING_STEPS, steps[-1]))
    own = tuned(short, draws, rates, others)
    runs = {
        bn: [
            trained(recipe, draws(s), bn=bn, lr=own[bn], seed=s, looks=steps, look=_watch(draws(s)))
            for s in seeds
        ]
        for bn in ARMS
    }
    seen = {bn: np.array([_filled(run.seen, len(steps)) for run in runs[bn]]) for bn in ARMS}
    saturated, gradients = ({bn: seen[bn][:, :, i].T for bn in ARMS} for i in (0, 1))
    return Course(
        activation,
        gain,
        steps,
        own,
        saturated,
        gradients,
        {bn: [run.accuracy for run in runs[bn]] for bn in ARMS},
        {bn: [float(np.mean(run.losses[-20:])) for run in runs[bn]] for bn in ARMS},
    )


def _filled(seen, n):
    """Return n looks, the last one repeated after a divergence; there is always the one before training."""
    return seen + seen[-1:] * (n - len(seen))


def _watch(draw):
    x, y = draw.probe(PROBE)
    return lambda model: (saturated_share(model, x), first_to_last(gradient_sizes(model, x, y)))


def _report(courses, told):
    early, late = (
        combined([answer(c.spared(step)) for c in courses]) for step in (EARLY, courses[0].steps[-1])
    )
    gradients = combined([answer(c.evened(EARLY), np.log(FACTOR)) for c in courses])
    last = courses[0].steps[-1]
    return Report(
        "saturation",
        "Saturated units and vanishing gradients",
        QUESTION,
        combined([early, late, gradients]),
        (
            f"Fewer saturated units early, at step {EARLY}: {early}. Late, at step {last}: {late}. Gradients more even "
            f"over the layers at step {EARLY}: {gradients}.",
            *(text for course in courses for text in _statements(course)),
        ),
        (_table(courses), _ends(courses)),
        tuple(chart for course in courses for chart in _charts(course)),
        {
            "early": early,
            "late": late,
            "gradients": gradients,
            "courses": {c.name: _numbers(c) for c in courses},
        },
        told,
        SOURCE,
    )


def _statements(c):
    for step in (EARLY, c.steps[-1]):
        shares = {bn: 100 * c.saturated[bn][c.steps.index(step)].mean() for bn in ARMS}
        yield (
            f"{c.name}, step {step}: {shares[True]:.1f} % saturated with batch norm and {shares[False]:.1f} % without; "
            f"batch norm {change_text(*(c.saturated[bn][c.steps.index(step)] for bn in (False, True)), 'spares', 'adds')}."
        )
    ratios = {bn: np.exp(np.log(c.gradients[bn][c.steps.index(EARLY)]).mean()) for bn in ARMS}
    yield (
        f"{c.name}, step {EARLY}: the first hidden layer's gradient is {ratios[True]:.2g} of the last one's with batch "
        f"norm and {ratios[False]:.2g} without (1 is even). In the end the accuracy is "
        f"{np.mean(c.accuracy[True]):.3f} with and {np.mean(c.accuracy[False]):.3f} without."
    )


def _table(courses):
    rows = []
    for c in courses:
        for step in (0, EARLY, c.steps[-1]):
            i = c.steps.index(step)
            rows.append(
                (
                    c.name,
                    step,
                    *(f"{c.saturated[bn][i].mean():.1%}" for bn in ARMS),
                    *(f"{np.exp(np.log(c.gradients[bn][i]).mean()):.2g}" for bn in ARMS),
                )
            )
    head = ("network", "step", "saturated with", "without", "gradient first/last with", "without")
    return Table("saturated units and gradients over training", head, tuple(rows))


def _ends(courses):
    rows = [
        (
            c.name,
            *(f"{c.rates[bn]:g}" for bn in ARMS),
            *(f"{np.median(c.losses[bn]):.3g}" for bn in ARMS),
            *(f"{np.mean(c.accuracy[bn]):.3f}" for bn in ARMS),
        )
        for c in courses
    ]
    head = ("network", "rate with", "without", "loss with", "without", "accuracy with", "without")
    return Table("what the training came to (medians of the losses)", head, tuple(rows))


def _charts(c):
    shown = c.steps[1:]
    share = tuple(accuracy_series(bn, shown, c.saturated[bn][1:]) for bn in ARMS)
    ratio = tuple(arm_series(bn, shown, np.log10(c.gradients[bn][1:])) for bn in ARMS)
    yield Lines(c.name, "step", "saturated units (%)", share, log_x=True)
    title, label = f"{c.name}: gradient, first layer / last", "ratio (power of ten)"
    yield Lines(title, "step", label, ratio, log_x=True, marks=(("even", 0.0),))


def _numbers(c):
    last = c.steps[-1]
    return {
        "steps": list(c.steps),
        "tuned_rate": {NAMES[bn]: c.rates[bn] for bn in ARMS},
        "saturated": {NAMES[bn]: c.saturated[bn].tolist() for bn in ARMS},
        "gradient_first_to_last": {NAMES[bn]: c.gradients[bn].tolist() for bn in ARMS},
        "accuracy": {NAMES[bn]: c.accuracy[bn] for bn in ARMS},
        "spared_early": difference_numbers(c.spared(EARLY)),
        "spared_late": difference_numbers(c.spared(last)),
        "log_evened_early": difference_numbers(c.evened(EARLY)),
    }
