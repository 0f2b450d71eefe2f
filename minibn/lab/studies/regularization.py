"""Luo et al.: batch norm as a regulariser, by batch size; ghost batches put the noise back into large ones."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from minibn.lab.answers import (
    answer,
    change_text,
    combined,
    difference_numbers,
    in_points,
    parts_text,
    points_cell,
)
from minibn.lab.arms import ARMS, NAMES, Recipe, accuracy_series, conditions, trained, tuned, tuning_seeds
from minibn.lab.draws import Draws
from minibn.lab.layers.ghost import with_ghost_batches
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.studies.study import study

QUESTION = "Does batch norm regularise, through the noise of small batches?"
SOURCE = "Luo et al. 2019, arXiv:1809.00846; Hoffer et al. 2017, arXiv:1705.08741, for ghost batches"
ROWS, WIDTH, GHOST_SIZE = 1000, 100, 16
STEPS = {16: 1500, 50: 800, 250: 300}  # until every training row is right
FULL_STEPS = 150
RATES = {16: (0.03, 0.1, 0.3), 50: (0.03, 0.1, 0.3, 1.0), 250: (0.1, 0.3, 1.0)}
FULL_RATES = (0.1, 0.3, 1.0)
GHOST, FULL = "ghost batch norm", "full batch"
MARGIN = 0.25  # points; what is asked is whether there is an effect, and the literature's are of half a point


@dataclass(frozen=True, eq=False)
class Batch:
    """All arms of one batch size: error on judging and on training rows per seed, and the tuned rates."""

    size: int
    full: bool
    error: dict
    training_error: dict
    rates: dict

    @property
    def name(self):
        """Batch size."""
        return f"{FULL} ({self.size})" if self.full else str(self.size)

    @property
    def reduction(self):
        """Error without batch norm minus error with it, in points."""
        return in_points(self.error[False], self.error[True])

    @property
    def ghost_reduction(self):
        """Error with batch norm minus error with ghost batches, in points; None where there were none."""
        return in_points(self.error[True], self.error[GHOST]) if GHOST in self.error else None


@study(
    "regularization",
    question=QUESTION,
    source=SOURCE,
    statement="regularizes through noise in the statistics",
    seconds=70,
)
def regularization(setup):
    """Train on 1000 rows until all are right, at four batch sizes; see :class:`Setup`."""
    seeds, draws = setup.seeds_or(8, 2), Draws(setup.data, setup.target, rows=ROWS)
    others = tuning_seeds(seeds, 1 if setup.quick else 2)
    n = len(draws(seeds[0]).y)
    sizes = [size for size in STEPS if size < n]
    found = []
    for size in sizes[-1:] if setup.quick and sizes else [*sizes, n]:
        setup.progress(f"batches of {size}: {len(seeds)} draws")
        found.append(_batch(draws, size, size == n, seeds, others))
    told = conditions(draws, Recipe((WIDTH,) * 3), seeds, setup) | {
        "training": "SGD without momentum; "
        + ", ".join(f"{_steps(b.size, b.full)} steps at {b.name}" for b in found),
        "rates": "best for each arm of "
        + "; ".join(
            f"{', '.join(f'{rate:g}' for rate in _rates(b.size, b.full))} at {b.name}" for b in found
        ),
        "tuning": f"on draws {list(others)}, judged on a validation part inside their training rows",
        "ghost": f"chunks of {GHOST_SIZE} rows, at batches of {max(STEPS)} and of all rows",
        "margin": f"a change of less than {MARGIN:g} points is none",
    }
    return _report(found, told)


def _steps(size, full):
    return FULL_STEPS if full else STEPS[size]


def _rates(size, full):
    return FULL_RATES if full else RATES[size]


def _batch(draws, size, full, seeds, others):
    recipe = Recipe((WIDTH,) * 3, batch_size=size, steps=_steps(size, full))
    ghost = replace(recipe, engine="eager", change=partial(with_ghost_batches, ghost_size=GHOST_SIZE))
    rates = _rates(size, full)
    own = tuned(recipe, draws, rates, others)
    runs = {bn: [_run(recipe, draws(s), bn, own[bn], s) for s in seeds] for bn in ARMS}
    if full or size == max(STEPS):
        own[GHOST] = tuned(ghost, draws, rates, others, arms=(True,))[True]
        runs[GHOST] = [_run(ghost, draws(s), True, own[GHOST], s) for s in seeds]
    error, training = ({arm: np.array(runs[arm])[:, i] for arm in runs} for i in (0, 1))
    return Batch(size, full, error, training, own)


def _run(recipe, draw, bn, lr, seed):
    """Return the error on judging and on training rows."""
    run = trained(recipe, draw, bn=bn, lr=lr, seed=seed)
    right = draw.baseline if run.diverged else float(np.mean(run.model.predict(draw.x) == draw.y))
    return 1 - run.accuracy, 1 - right


def _report(found, told):
    noisy = {b.name: answer(b.reduction, MARGIN) for b in found if not b.full}
    ghosts = {b.name: answer(b.ghost_reduction, MARGIN) for b in found if b.ghost_reduction}
    told_apart = {f"lower error at {name}": found for name, found in noisy.items()}
    told_apart |= {f"lower still with ghost batches at {name}": found for name, found in ghosts.items()}
    return Report(
        "regularization",
        "Batch norm as a regulariser",
        QUESTION,
        combined(told_apart.values()),
        (
            parts_text(told_apart),
            *(_statement(b) for b in found),
            *(_ghost_statement(b) for b in found if b.ghost_reduction),
        ),
        (_table(found),),
        (_chart(found), _reduction_chart(found)),
        {b.name: _numbers(b) for b in found} | {"answers": {"batch norm": noisy, GHOST: ghosts}},
        told,
        SOURCE,
    )


def _statement(b):
    errors = {bn: 100 * b.error[bn].mean() for bn in ARMS}
    fitted = max(100 * b.training_error[bn].mean() for bn in ARMS)
    return (
        f"Batches of {b.size}{_all(b)}: error {errors[True]:.2f} % with batch norm and {errors[False]:.2f} % without (training "
        f"error at most {fitted:.2f} %); batch norm "
        f"{change_text(b.error[False], b.error[True], 'lowers it by', 'raises it by')}."
    )


def _all(b):
    return ", all rows at once" if b.full else ""


def _ghost_statement(b):
    return (
        f"Batches of {b.size}{_all(b)}: with ghost batches of {GHOST_SIZE} the error of batch norm "
        f"{change_text(b.error[True], b.error[GHOST], 'falls by', 'rises by')}, from {100 * b.error[True].mean():.2f} to "
        f"{100 * b.error[GHOST].mean():.2f} %."
    )


def _table(found):
    rows = [
        (
            b.name,
            *(_cell(b, arm) for arm in (False, True, GHOST)),
            points_cell(b.reduction),
            points_cell(b.ghost_reduction) if b.ghost_reduction else None,
        )
        for b in found
    ]
    head = (
        "batch",
        "without (rate)",
        "with (rate)",
        "ghost (rate)",
        "with lowers by",
        "ghost lowers further by",
    )
    return Table("error in % on rows not trained on; reductions in points (95 % interval)", head, tuple(rows))


def _cell(b, arm):
    return f"{100 * b.error[arm].mean():.2f} ({b.rates[arm]:g})" if arm in b.error else None


def _chart(found):
    sizes = [b.size for b in found]
    series = [accuracy_series(bn, sizes, [b.error[bn] for b in found]) for bn in ARMS]
    ghosts = [b for b in found if b.ghost_reduction]
    if ghosts:
        y = [100 * b.error[GHOST].mean() for b in ghosts]
        series.append(Series(f"ghost batches of {GHOST_SIZE}", [b.size for b in ghosts], y, style="dashed"))
    return Lines("error at zero training error", "batch size", "error (%)", tuple(series), log_x=True)


def _reduction_chart(found):
    shown = [b.reduction for b in found]
    ends = [[getattr(r, end) if r.low is not None else r.mean for r in shown] for end in ("low", "high")]
    line = Series("without - with", [b.size for b in found], [r.mean for r in shown], *ends)
    title = "how much batch norm lowers the error, paired"
    return Lines(title, "batch size", "points", (line,), log_x=True, marks=(("no effect", 0.0),))


def _numbers(b):
    names = {bn: NAMES[bn] for bn in ARMS} | {GHOST: GHOST}
    return {
        "tuned_rate": {names[arm]: rate for arm, rate in b.rates.items()},
        "error": {names[arm]: found.tolist() for arm, found in b.error.items()},
        "training_error": {names[arm]: found.tolist() for arm, found in b.training_error.items()},
        "reduction": difference_numbers(b.reduction),
        "ghost_reduction": difference_numbers(b.ghost_reduction) if b.ghost_reduction else None,
    }
