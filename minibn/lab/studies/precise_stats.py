"""Running statistics against the exact ones, early in training."""

import copy

import numpy as np

from minibn.lab.answers import interval_text
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import HELPS, NO_DIFFERENCE, mean_interval, paired_difference, verdict
from minibn.lab.studies.study import study
from minibn.lab.studies.trained import changed, described, experiment_of, trainer_of
from minibn.train import recalibrate

MOMENTA = (0.1, 0.01, 0.001)
LOOKS = (10, 20, 40, 80, 160, 320)
JUDGED = (0.01, 20)  # Keras's default momentum, 0.99 in its sense, after 20 steps
HIDDEN, BATCH, RATE, MOMENTUM = (100, 100, 100), 128, 0.1, 0.9
SOURCE = 'Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, arXiv 2105.07576, sec. 3'
_ANSWERS = {HELPS: "yes", NO_DIFFERENCE: "no"}


@study(
    "precise-stats",
    question="Do running statistics lie early in training, and do exact statistics of the training rows put it right?",
    source=SOURCE,
    statement="inference uses the running statistics",
    seconds=5,
)  # fmt: skip
def precise_stats(setup):
    """Train once for each momentum of the statistics, and judge the same weights with both kinds of statistics."""
    seeds, looks = setup.seeds_or(10, 3), LOOKS[:4] if setup.quick else LOOKS
    running = {momentum: [] for momentum in MOMENTA}
    precise = []
    for seed in seeds:
        setup.progress(f"precise-stats: seed {seed}")
        experiment = experiment_of(setup, seed, hidden=HIDDEN)
        for momentum in MOMENTA:
            errors = _errors(changed(experiment, bn_momentum=momentum), looks)
            running[momentum].append(errors[:, 0])
        precise.append(errors[:, 1])  # the weights, and so these, are the same for every momentum
    return _report(experiment, seeds, looks, {m: np.array(e) for m, e in running.items()}, np.array(precise))


def _errors(experiment, looks):
    """Return validation errors in % with running and with exact statistics, shape (looks, 2)."""
    trainer, found = trainer_of(experiment, RATE, BATCH, MOMENTUM), []
    for before, now in zip((0, *looks), looks, strict=False):
        trainer.advance(now - before)
        exact = copy.deepcopy(trainer.model)
        recalibrate(exact, experiment.x_train)
        found.append([_error(model, experiment) for model in (trainer.model, exact)])
    return np.array(found)


def _error(model, experiment):
    return 100.0 * float(np.mean(model.predict(experiment.x_validation) != experiment.y_validation))


def _report(experiment, seeds, looks, running, precise):
    cells = [
        _cell(momentum, step, running[momentum][:, k], precise[:, k])
        for momentum in MOMENTA
        for k, step in enumerate(looks)
    ]
    judged = next(cell for cell in cells if (cell["momentum"], cell["step"]) == JUDGED)
    last = [cell for cell in cells if cell["step"] == looks[-1]]
    return Report(
        name="precise-stats",
        title=f"Running against precise statistics, {experiment.dataset.name}",
        question="Do running statistics lie early in training?",
        verdict=_ANSWERS.get(judged["verdict"], "cannot tell"),
        statements=(
            f"At momentum {JUDGED[0]:g} (Keras's default 0.99) after {JUDGED[1]} steps, evaluation mode errs by {judged['running']:.1f} %; the same weights with exact statistics err by {judged['precise']:.1f} %: {_gap(judged)}.",
            f"After {looks[-1]} steps: " + "; ".join(f"momentum {cell['momentum']:g}: {_gap(cell)}" for cell in last) + ".",
            "The weights are the same throughout: running statistics take no part in training. recalibrate gives the exact ones.",
        ),
        tables=(_table(cells),),
        charts=(_chart(looks, running, precise),),
        numbers={"cells": cells, "judged": judged},
        conditions={
            **described(experiment),
            "training": f"sgd, lr {RATE:g}, momentum {MOMENTUM:g}, batch {min(BATCH, len(experiment.x_train))}; eps {experiment.settings.bn_eps:g}, momentum weighs the new value",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _cell(momentum, step, running, precise):
    difference = paired_difference(running, precise)
    return {
        "momentum": momentum, "step": step, "running": float(running.mean()), "precise": float(precise.mean()),
        "gap": round(difference.mean, 9), "low": difference.low, "high": difference.high, "wins": difference.wins,
        "n": difference.n, "verdict": verdict(difference), "running_by_seed": running.tolist(),
        "precise_by_seed": precise.tolist(),
    }  # fmt: skip


def _gap(cell):
    ends = interval_text(cell["low"], cell["high"], "z.1f")
    interval = f" ({ends})" if ends else ""
    return f"{cell['gap']:+z.1f} points of error{interval}, larger in {cell['wins']} of {cell['n']} seeds"


def _table(cells):
    head = ("momentum", "step", "running %", "precise %", "difference", "low", "high", "running worse in")
    rows = tuple(
        (f"{c['momentum']:g}", *(c[k] for k in ("step", "running", "precise", "gap", "low", "high")), f"{c['wins']}/{c['n']}")
        for c in cells
    )  # fmt: skip
    return Table("validation error, evaluation mode", head, rows)


def _chart(looks, running, precise):
    series = [
        _series(f"running, momentum {momentum:g}", looks, errors) for momentum, errors in running.items()
    ]
    series.append(_series("precise", looks, precise, style="dashed"))
    return Lines("the same weights with two kinds of statistics", "step", "validation error (%)", tuple(series), log_x=True)  # fmt: skip


def _series(label, looks, errors, style="line"):
    mean, low, high = zip(*(mean_interval(column) for column in errors.T), strict=True)
    return Series(label, looks, mean, low, high, style=style).within(0, 100)
