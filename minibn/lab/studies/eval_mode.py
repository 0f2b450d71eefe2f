"""A trained network used in the wrong mode: batch statistics at prediction, polluted statistics, shifted inputs."""

import copy

import numpy as np

from minibn.autograd import no_grad
from minibn.lab.answers import interval_text
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import HURTS, NO_DIFFERENCE, mean_interval, paired_difference, verdict
from minibn.lab.studies.study import study
from minibn.lab.studies.trained import cut, described, experiment_of, predict_by_batch, trainer_of

SIZES = (2, 4, 8, 32, 128, 1000)
CLASS_BATCH, PASSES, SHUFFLES = 100, 100, 5
SCALE, SHIFT = 1.5, 0.5
_NEIGHBOURS = 8  # rows of a batch in which a prediction meets its neighbours
HIDDEN, BATCH, RATE, STEPS = (100, 100, 100), 64, 0.1, 600
SOURCE = 'Wu and Johnson 2021, Rethinking "Batch" in BatchNorm, arXiv 2105.07576, sec. 3-5'
EVAL, ONE_CLASS, POLLUTED = (
    "evaluation mode",
    "training mode, one class per batch",
    "after one-class passes, class by class",
)
SHIFTED, SHIFTED_BATCH = "shifted inputs, evaluation mode", "shifted inputs, batch statistics"
NEIGHBOURS = "predictions that change with the other rows of a batch"
_FLATTER = {
    "helps": "flatter the score",
    "hurts": "lower the score, and do not flatter it",
    NO_DIFFERENCE: "do not flatter the score where rows are drawn alike",
    "cannot tell": "may or may not flatter the score",
}
_ANSWERS = {HURTS: "yes", NO_DIFFERENCE: "no"}


@study(
    "eval-mode",
    question="Does a network in training mode predict wrongly, and do statistics of the test rows flatter it?",
    source=SOURCE,
    statement="forgetting eval mode gives wrong results; statistics taken from test data flatter the metrics",
    seconds=7,
)  # fmt: skip
def eval_mode(setup):
    """Train once per seed; judge the network on the validation rows in every wrong way."""
    seeds, found = setup.seeds_or(10, 3), []
    for seed in seeds:
        setup.progress(f"eval-mode: seed {seed}")
        experiment = experiment_of(setup, seed, hidden=HIDDEN)
        trainer = trainer_of(experiment, RATE, BATCH)
        trainer.advance(200 if setup.quick else STEPS)
        found.append(judged(trainer.model, experiment.x_validation, experiment.y_validation, seed))
    return _report(experiment, seeds, {name: np.array([one[name] for one in found]) for name in found[0]})


def judged(model, x, y, seed):
    """Return accuracies in % of a trained network in each mode of use.

    Parameters
    ----------
    model : minibn.nn.Sequential
        Left as it is.
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)
    seed : int
        Of the shuffles: :data:`SHUFFLES` of them are averaged for each batch size.

    Returns
    -------
    dict of str to float
    """
    rng, by_class = np.random.default_rng([seed, 0]), np.argsort(y, kind="stable")
    orders = [rng.permutation(len(y)) for _ in range(SHUFFLES)]
    found = {EVAL: _share(model.predict(x), y)}
    for size in sizes_for(len(y)):
        shares = [_share(predict_by_batch(model, x, cut(order, size)), y) for order in orders]
        found[shuffled(size)] = float(np.mean(shares))
    pure = class_batches(y, by_class)
    found[ONE_CLASS] = _share(predict_by_batch(model, x, pure), y)
    found[POLLUTED] = _share(_polluted(model, x, pure).predict(x), y)
    moved = (SCALE * x + SHIFT).astype(x.dtype)
    found[SHIFTED] = _share(model.predict(moved), y)
    largest = cut(orders[0], sizes_for(len(y))[-1])
    found[SHIFTED_BATCH] = _share(predict_by_batch(model, moved, largest), y)
    first, second = (predict_by_batch(model, x, cut(order, _NEIGHBOURS)) for order in orders[:2])
    found[NEIGHBOURS] = 100.0 * float(np.mean(first != second))
    return found


def sizes_for(rows):
    """Return the batch sizes that fit, with all rows as one batch where the largest does not."""
    return (*(size for size in SIZES if size < rows), *((rows,) if rows <= SIZES[-1] else ()))


def shuffled(size):
    """Return the name of an accuracy in training mode with shuffled batches."""
    return f"training mode, shuffled batches of {size}"


def class_batches(y, by_class):
    """Return the rows of batches that hold one class each, classes with a single row left out."""
    groups = np.split(by_class, np.flatnonzero(np.diff(y[by_class])) + 1)
    return [rows for group in groups if len(group) > 1 for rows in cut(group, CLASS_BATCH)]


def _share(predicted, y):
    known = predicted >= 0
    return 100.0 * float(np.mean(predicted[known] == y[known]))


def _polluted(model, x, batches):
    """Return the network after forward passes in training mode, which move its running statistics unseen."""
    model = copy.deepcopy(model)
    with no_grad():
        for k in range(PASSES):
            model(x[batches[k * len(batches) // PASSES]], training=True)
    return model


def _report(experiment, seeds, found):
    against = {
        name: _row(name, values, found[EVAL]) for name, values in found.items() if name not in (EVAL, NEIGHBOURS)
    }  # fmt: skip
    sizes = sizes_for(len(experiment.y_validation))
    smallest, largest = against[shuffled(sizes[0])], against[shuffled(sizes[-1])]
    shift = paired_difference(found[SHIFTED_BATCH], found[SHIFTED])
    changed, *_ = mean_interval(found[NEIGHBOURS])
    accuracy, *ends = mean_interval(found[EVAL])
    pure = against[ONE_CLASS]
    return Report(
        name="eval-mode",
        title=f"Batch statistics at prediction, {experiment.dataset.name}",
        question="Does a network in training mode predict wrongly?",
        verdict=_ANSWERS.get(pure["verdict"], "cannot tell"),
        statements=(
            f"In evaluation mode {accuracy:.1f} % are right. In training mode, with one class in each batch: {pure['accuracy']:.1f} %, {_points(pure)}.",
            f"Shuffled batches hide the mistake as they grow: {smallest['accuracy']:.1f} % in batches of {sizes[0]}, {largest['accuracy']:.1f} % in batches of {sizes[-1]} ({_points(largest)}): statistics of the test rows {_FLATTER[largest['verdict']]}.",
            f"{PASSES} forward passes in training mode, class by class, move the running statistics unseen: back in evaluation mode {against[POLLUTED]['accuracy']:.1f} % are right.",
            f"With every input x at {SCALE:g} x + {SHIFT:g}, evaluation mode gets {found[SHIFTED].mean():.1f} % right and batch statistics {found[SHIFTED_BATCH].mean():.1f} % ({_interval(shift.mean, shift.low, shift.high)}): statistics of the test rows hide a shift of the data that a single row would suffer from.",
            f"A prediction then depends on its neighbours: shuffled anew into batches of {_NEIGHBOURS}, {changed:.1f} % of the rows get another class.",
        ),
        tables=(_table(found[EVAL], against),),
        charts=(_chart(found, sizes),),
        numbers={
            "accuracy": {"mean": accuracy, "low": ends[0], "high": ends[1], "by_seed": found[EVAL].tolist()},
            "against_evaluation": list(against.values()),
            "shift": {"mean": shift.mean, "low": shift.low, "high": shift.high},
            "neighbours_changed": changed,
        },
        conditions={
            **described(experiment),
            "training": f"sgd, lr {RATE:g}, batch {BATCH}; batch norm momentum 0.1, eps {experiment.settings.bn_eps:g}",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _row(name, values, evaluation):
    difference = paired_difference(values, evaluation)
    return {
        "name": name, "accuracy": float(values.mean()), "difference": difference.mean, "low": difference.low,
        "high": difference.high, "lower_in": int((values < evaluation).sum()), "n": difference.n,
        "verdict": verdict(difference), "by_seed": values.tolist(),
    }  # fmt: skip


def _points(row):
    return f"{_interval(row['difference'], row['low'], row['high'])}, lower in {row['lower_in']} of {row['n']} seeds"


def _interval(mean, low, high):
    ends = interval_text(low, high, "z.1f")
    return ", ".join(filter(None, (f"{mean:+z.1f} points", ends)))


def _table(evaluation, against):
    head = ("prediction", "accuracy %", "difference", "low", "high", "lower in", "batch statistics")
    rows = [(EVAL, float(evaluation.mean()), None, None, None, None, "running")]
    rows += [
        (
            r["name"],
            r["accuracy"],
            r["difference"],
            r["low"],
            r["high"],
            f"{r['lower_in']}/{r['n']}",
            _says(r),
        )
        for r in against.values()
    ]
    return Table("validation accuracy, difference from evaluation mode in points", head, tuple(rows))


def _says(row):
    return {"helps": "higher", "hurts": "lower"}.get(row["verdict"], row["verdict"])


def _chart(found, sizes):
    mean, low, high = zip(*(mean_interval(found[shuffled(size)]) for size in sizes), strict=True)
    series = (
        Series("training mode, shuffled batches", sizes, mean, low, high).within(0, 100),
        *(
            Series(name, (sizes[0], sizes[-1]), [float(found[name].mean())] * 2, style=style)
            for name, style in ((EVAL, "dashed"), (ONE_CLASS, "dotted"), (POLLUTED, "dotted"))
        ),
    )
    return Lines("the same network in training mode", "batch size at prediction", "validation accuracy (%)", series, log_x=True)  # fmt: skip
