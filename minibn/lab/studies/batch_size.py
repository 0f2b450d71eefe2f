"""Error against batch size: with batch norm, without, and with layer norm, which needs no batch."""

import copy
from itertools import product

import numpy as np

from minibn.lab.answers import interval_text
from minibn.lab.layers.layer_norm import with_layer_norm
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import HELPS, HURTS, NO_DIFFERENCE, mean_interval, paired_difference, verdict
from minibn.lab.studies.study import study
from minibn.lab.studies.trained import changed, cut, described, experiment_of, predict_by_batch, trainer_of
from minibn.train import build, recalibrate

SIZES, QUICK_SIZES = (2, 4, 8, 16, 32, 128), (2, 8, 32)
RATES, QUICK_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0), (0.01, 0.1)
HIDDEN, PRECISE_ROWS, TUNING_SEEDS = (100, 100, 100), 10_000, 2
NONE, LAYER = "without batch norm", "layer norm"
RUNNING, PRECISE, BATCH = "batch norm, running", "batch norm, precise", "batch norm, batch"
ARMS = (NONE, RUNNING, LAYER)
SOURCE = "Wu and He 2018, Group normalization, arXiv 1803.08494, sec. 4.1"
_ANSWERS = {HURTS: "yes", NO_DIFFERENCE: "no", HELPS: "no"}


@study(
    "batch-size",
    question="Does batch norm fail with small batches, and is it the training or the running statistics that fails?",
    source=SOURCE,
    statement="very small batches make the statistics noisy and hurt",
    seconds=50,
)  # fmt: skip
def batch_size(setup):
    """Tune the rate of each arm at each batch size on other seeds, then train and judge it."""
    seeds = setup.seeds_or(5, 2)
    tuning = [max(seeds) + 1000 + k for k in range(1 if setup.quick else TUNING_SEEDS)]
    rates, scores, judged = QUICK_RATES if setup.quick else RATES, {}, {}
    for experiment, sizes, samples in _parts(setup, tuning, "tuning"):
        for size, arm, rate in product(sizes, ARMS, rates):
            error = _judged(experiment, arm, size, rate, samples, running_only=True)[arm][0]
            scores.setdefault((arm, size), {}).setdefault(rate, []).append(error)
    chosen = {key: min(by_rate, key=lambda rate, e=by_rate: np.mean(e[rate])) for key, by_rate in scores.items()}  # fmt: skip
    for experiment, sizes, samples in _parts(setup, seeds, "seed"):
        for size, arm in product(sizes, ARMS):
            found = _judged(experiment, arm, size, chosen[arm, size], samples)
            judged.setdefault((arm, size), []).append(found)
    cells = {
        (name, size): _cell(name, size, chosen[arm, size], chosen[arm, size] in (rates[0], rates[-1]), found)
        for (arm, size), found in judged.items()
        for name in found[0]
    }
    return _report(experiment, seeds, tuning, samples, rates, cells)


def _parts(setup, seeds, label):
    """Yield (experiment, batch sizes, rows to see) one by one: large data are held once."""
    for seed in seeds:
        setup.progress(f"batch-size: {label} {seed}")
        experiment = experiment_of(setup, seed, hidden=HIDDEN)
        rows = len(experiment.x_train)
        sizes = [size for size in (QUICK_SIZES if setup.quick else SIZES) if size <= rows]
        yield experiment, sizes, 1500 if setup.quick else min(max(3000, rows), 10_000)


def _trained(experiment, arm, size, rate, samples):
    experiment = changed(experiment, bn=arm != NONE)
    model, engine = build(experiment), "program"
    if arm == LAYER:
        model, engine = with_layer_norm(model), "eager"
    trainer = trainer_of(experiment, rate, size, model=model, engine=engine)
    with np.errstate(all="ignore"):  # a rate too large is a result
        trainer.advance(max(1, samples // size))
    return trainer


def _judged(experiment, arm, size, rate, samples, running_only=False):
    """Return (error in %, whether training diverged) by name of the statistics used at prediction."""
    trainer = _trained(experiment, arm, size, rate, samples)
    names = (RUNNING, PRECISE, BATCH) if arm == RUNNING and not running_only else (arm,)
    if trainer.diverged:
        return dict.fromkeys(names, (100.0 * (1.0 - experiment.majority_baseline), True))
    return {name: (_error(trainer.model, experiment, name, size), False) for name in names}


def _error(model, experiment, name, size):
    x, y = experiment.x_validation, experiment.y_validation
    if name == PRECISE:
        model = copy.deepcopy(model)
        recalibrate(model, experiment.x_train[:PRECISE_ROWS])
    predicted = _by_batch(model, x, size, experiment.settings.seed) if name == BATCH else model.predict(x)
    return 100.0 * float(np.mean(predicted != y))


def _by_batch(model, x, size, seed):
    """Return predictions with the statistics of shuffled batches of some size."""
    order = np.random.default_rng([seed, size]).permutation(len(x))
    return predict_by_batch(model, x, cut(order, size))


def _cell(arm, size, rate, at_edge, judged):
    errors = [one[arm][0] for one in judged]
    return {
        "arm": arm, "batch": size, "rate": rate, "rate_at_edge": at_edge, "errors": errors,
        "mean": mean_interval(errors), "diverged": sum(one[arm][1] for one in judged),
    }  # fmt: skip


def _report(example, seeds, tuning, samples, rates, cells):
    sizes = sorted({size for _, size in cells})
    against = {
        (other, size): _against(cells[RUNNING, size], cells[other, size]) for other in (NONE, LAYER) for size in sizes
    }  # fmt: skip
    smallest, largest = against[NONE, sizes[0]], against[NONE, sizes[-1]]
    exact = paired_difference(cells[RUNNING, sizes[0]]["errors"], cells[PRECISE, sizes[0]]["errors"])
    return Report(
        name="batch-size",
        title=f"Error against batch size, {example.dataset.name}",
        question="Does batch norm fail with small batches?",
        verdict=_ANSWERS.get(smallest["verdict"], "cannot tell"),
        statements=(
            f"At batch size {sizes[0]}, rates tuned, batch norm errs by {cells[RUNNING, sizes[0]]['mean'][0]:.1f} %, the network without it by {cells[NONE, sizes[0]]['mean'][0]:.1f} %, layer norm by {cells[LAYER, sizes[0]]['mean'][0]:.1f} %: {_points(smallest)} against none.",
            f"At batch size {sizes[-1]}: {cells[RUNNING, sizes[-1]]['mean'][0]:.1f} % against {cells[NONE, sizes[-1]]['mean'][0]:.1f} %: {_points(largest)}.",
            _crossing(against, sizes),
            f"At batch size {sizes[0]} exact statistics change the error of the trained network by {_signed(-exact.mean)} points{_ends(exact, -1)}; what is left of its {cells[PRECISE, sizes[0]]['mean'][0]:.1f} % is the training.",
        ),
        tables=(_error_table(cells, sizes), _rate_table(cells, sizes)),
        charts=(_chart(cells, sizes),),
        numbers={
            "cells": list(cells.values()),
            "against": [{"other": other, "batch": size, **found} for (other, size), found in against.items()],
        },
        conditions={
            **described(example),
            "training": f"sgd, {samples} rows seen, whatever the batch size; validation error in %, a diverged run scores the majority baseline",
            "rates": f"tuned for each arm and batch size on seeds {tuning}, over {', '.join(f'{r:g}' for r in rates)}",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _against(cell, other):
    """Return the paired difference in points of error; the verdict is that on accuracy."""
    difference = paired_difference(cell["errors"], other["errors"])
    accuracy = paired_difference([-e for e in cell["errors"]], [-e for e in other["errors"]])
    return {
        "mean": round(difference.mean, 9), "low": difference.low, "high": difference.high,
        "worse_in": difference.wins, "n": difference.n, "verdict": verdict(accuracy),
    }  # fmt: skip


def _crossing(against, sizes):
    hurt = [size for size in sizes if against[LAYER, size]["verdict"] == HURTS]
    helped = [size for size in sizes if against[LAYER, size]["verdict"] == HELPS]
    told = {"worse": hurt, "better": helped}
    parts = [f"{word} at {', '.join(map(str, found))}" for word, found in told.items() if found]
    return f"Against layer norm, batch norm is {' and '.join(parts) or 'nowhere told apart'}; elsewhere they differ by less than a point, or cannot be told apart."


def _signed(value):
    return f"{value:+z.1f}"


def _ends(difference, sign=1):
    if difference.low is None:
        return ""
    return f" ({interval_text(*sorted((sign * difference.low, sign * difference.high)), 'z.1f')})"


def _points(found):
    ends = interval_text(found["low"], found["high"], "z.1f")
    ends = f" ({ends})" if ends else ""
    return f"{found['mean']:+z.1f} points of error{ends}, worse in {found['worse_in']} of {found['n']} seeds"


def _arms(cells):
    return [arm for arm in (NONE, RUNNING, PRECISE, BATCH, LAYER) if any(name == arm for name, _ in cells)]


def _error_table(cells, sizes):
    arms = _arms(cells)
    rows = tuple((size, *(cells[arm, size]["mean"][0] for arm in arms)) for size in sizes)
    return Table("validation error in %, mean over seeds, by the statistics used at prediction", ("batch", *arms), rows)  # fmt: skip


def _rate_table(cells, sizes):
    rows = [
        (size, *(f"{cells[arm, size]['rate']:g}" for arm in ARMS), sum(cells[arm, size]["diverged"] for arm in ARMS))
        for size in sizes
    ]  # fmt: skip
    return Table("tuned learning rates", ("batch", NONE, "batch norm", LAYER, "diverged runs"), tuple(rows))


def _chart(cells, sizes):
    named = {NONE: NONE, RUNNING: "with batch norm"}
    styles = {PRECISE: "dashed", BATCH: "dotted"}
    series = [
        Series(
            arm, sizes, *zip(*(cells[arm, size]["mean"] for size in sizes), strict=True), arm=named.get(arm),
            style=styles.get(arm, "line"),
        ).within(0, 100)
        for arm in _arms(cells)
    ]  # fmt: skip
    return Lines("rates tuned in every arm", "batch size", "validation error (%)", tuple(series), log_x=True)
