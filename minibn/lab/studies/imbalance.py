"""A rare class: what accuracy hides, and whether batch norm or class weights change it."""

from dataclasses import replace

import numpy as np

from minibn.data import split
from minibn.errors import NonFiniteLossError
from minibn.lab.answers import interval_text
from minibn.lab.ranking import curve_series, precision_recall_chart
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import mean_interval, paired_difference, verdict
from minibn.lab.studies.study import study
from minibn.metrics import threshold_for
from minibn.train import Settings, build, judge, prepare, run_epochs
from minibn.train.judge import log_odds, probability

NETWORK = {"hidden": (16,), "lr": 0.03, "batch_size": 64, "epochs": 10, "val_fraction": 0.3}
EARLY = 3
GOAL = "recall=0.8"
_WITH, _WITHOUT = "with batch norm", "without batch norm"
_ARMS = {
    _WITH: {"bn": True},
    _WITHOUT: {"bn": False},
    f"{_WITH}, balanced": {"bn": True, "class_weight": "balanced"},
    f"{_WITHOUT}, balanced": {"bn": False, "class_weight": "balanced"},
}
_FIGURES = ("accuracy", "recall", "precision", "average_precision")
_ANSWERS = {"helps": "yes", "hurts": "no, it hurts", "no difference": "no", "cannot tell": "cannot tell"}


@study(
    "imbalance",
    question="Does batch norm help to find a rare class, and does accuracy show whether it is found?",
    source="Davis and Goadrich, The relationship between precision-recall and ROC curves, 2006",
    statement="98 % accuracy with 12 % recall is not a good model: accuracy misleads on imbalanced data",
    seconds=6,
)
def imbalance(setup):
    """Train a small network with and without batch norm, plain and with class weights, on several splits.

    Of more than two classes the rarest one is held against the rest.

    Parameters
    ----------
    setup : Setup

    Returns
    -------
    Report
        ``numbers`` holds, for every arm, accuracy, recall, precision and average precision per seed and epoch; and
        the paired differences in points.
    """
    seeds = setup.seeds_or(10, 3)
    runs = {arm: [] for arm in _ARMS}
    for seed in seeds:
        setup.progress(f"split {seed}")
        experiment = two_classes(
            prepare(Settings(data=setup.data, target=setup.target, seed=seed, **NETWORK))
        )
        for arm, changes in _ARMS.items():
            runs[arm].append(_run(replace(experiment, settings=replace(experiment.settings, **changes))))
    return _report(experiment, seeds, runs)


def two_classes(experiment):
    """Return an experiment of two classes: the rarest one against the rest, where there are more."""
    dataset = experiment.dataset
    if len(dataset.labels) == 2:
        return experiment
    rare = int(np.bincount(dataset.y).argmin())
    two = replace(dataset, y=(dataset.y == rare).astype(np.int64), labels=("rest", str(dataset.labels[rare])))
    return replace(
        experiment, dataset=two, y_train=two.y[experiment.train_rows], y_validation=two.y[experiment.validation_rows]
    )  # fmt: skip


def _run(experiment):
    """Return the figures of every epoch, the last log-odds, and what a threshold comes to on other rows."""
    model, epochs = build(experiment), []
    x, y, labels = experiment.x_validation, experiment.y_validation, experiment.dataset.labels
    try:
        for _ in run_epochs(experiment, model):
            final = judge(model, x, y, labels, experiment.positive)
            epochs.append([final[name] for name in _FIGURES])
    except NonFiniteLossError:
        scores = np.zeros(len(y))
    else:
        scores = log_odds(model, x, labels, experiment.positive)
    positive = y == list(labels).index(experiment.positive)
    share = float(positive.mean())
    blank = [max(share, 1 - share), 0.0, 0.0, share]  # a diverged network knows the majority class at best
    epochs += [blank] * (experiment.settings.epochs - len(epochs))
    return {"epochs": epochs, "positive": positive, "scores": scores,
            "moved": _moved(positive, probability(scores), experiment.settings.seed)}  # fmt: skip


def _moved(positive, scores, seed):
    """Search a threshold on one half of some rows; return (recall, precision) on both halves."""
    halves = split(positive, 0.5, seed)
    found = threshold_for(positive[halves[0]], scores[halves[0]], GOAL)
    called, true = scores[halves[1]] >= found.threshold, positive[halves[1]]
    hits = (called & true).sum()
    return [found.recall, found.precision, float(hits / true.sum()), float(hits / max(called.sum(), 1))]


def _report(experiment, seeds, runs):
    figures = {arm: 100 * np.array([run["epochs"] for run in all_runs]) for arm, all_runs in runs.items()}
    moved = {arm: 100 * np.array([run["moved"] for run in all_runs]) for arm, all_runs in runs.items()}
    found = {name: _difference(figures, *of) for name, of in _DIFFERENCES.items()}
    share = 100 * float(runs[_WITH][0]["positive"].mean())
    s = experiment.settings
    return Report(
        name="imbalance",
        title=f"A rare class: {experiment.dataset.name}, {share:.3g} % of class {experiment.positive}",
        question="Does batch norm help to find a rare class, and does accuracy show whether it is found?",
        verdict=_ANSWERS[verdict(found["average precision, batch norm"])],
        statements=tuple(_statements(figures, found, moved, share)),
        tables=(_figure_table(figures), _difference_table(found), _threshold_table(moved)),
        charts=(*_traces(figures, share), _curves(runs, seeds[0])),
        numbers={
            "prevalence": share / 100,
            "arms": {arm: {name: (values[:, :, k] / 100).tolist() for k, name in enumerate(_FIGURES)}
                     for arm, values in figures.items()},
            "differences": {name: _plain(difference) for name, difference in found.items()},
            "thresholds": {arm: (values / 100).tolist() for arm, values in moved.items()},
        },
        conditions={
            "data": f"{experiment.dataset.name}, {len(experiment.dataset.x)} rows, class {experiment.positive} against the rest",
            "network": f"{experiment.dataset.x.shape[1]} - {s.hidden[0]} - 2, {s.activation}, sgd, batch {s.batch_size}, "
                       f"learning rate {s.lr:g}, {s.epochs} epochs",
            "seeds": f"{len(seeds)} splits ({100 * s.val_fraction:g} % validation), from seed {seeds[0]}",
        },
        source="Davis and Goadrich, The relationship between precision-recall and ROC curves, 2006",
    )  # fmt: skip


_LAST = -1
_DIFFERENCES = {
    f"average precision, batch norm, epoch {EARLY}": (3, EARLY - 1, _WITH, _WITHOUT),
    "average precision, batch norm": (3, _LAST, _WITH, _WITHOUT),
    "recall, batch norm": (1, _LAST, _WITH, _WITHOUT),
    "average precision, class weights": (3, _LAST, f"{_WITH}, balanced", _WITH),
    "recall, class weights": (1, _LAST, f"{_WITH}, balanced", _WITH),
    "precision, class weights": (2, _LAST, f"{_WITH}, balanced", _WITH),
}


def _difference(figures, figure, epoch, first, second):
    """Return the paired difference in points; no share changes by more than 100, whatever few splits allow."""
    found = paired_difference(figures[first][:, epoch, figure], figures[second][:, epoch, figure])
    if found.low is None:
        return found
    return replace(found, low=max(found.low, -100.0), high=min(found.high, 100.0))


def _plain(difference):
    return {name: getattr(difference, name) for name in ("mean", "low", "high", "wins", "n")}


def _interval(difference):
    ends = interval_text(difference.low, difference.high, nothing="one split: no interval")
    return f"{difference.mean:+z.1f} points ({ends})"


def _statements(figures, found, moved, share):
    for arm in (_WITH, _WITHOUT):
        accuracy, recall = figures[arm][:, EARLY - 1, :2].mean(axis=0)
        yield (
            f"After {EARLY} epochs {arm}, accuracy is {accuracy:.1f} % and recall {recall:.1f} %; naming the larger class "
            f"always has {max(share, 100 - share):.1f} %."
        )
    yield f"Batch norm changes average precision by {_interval(found['average precision, batch norm'])}."
    yield (
        f"Class weights, with batch norm, change recall at one half by {_interval(found['recall, class weights'])}, precision "
        f"by {_interval(found['precision, class weights'])} and average precision by "
        f"{_interval(found['average precision, class weights'])}."
    )
    _, _, recall, precision = moved[_WITH].mean(axis=0)
    yield (
        f"A threshold searched for {GOAL} on one half of the validation rows has, on the other half, recall "
        f"{recall:.1f} % and precision {precision:.1f} %, with batch norm and without class weights."
    )


def _figure_table(figures):
    head = ("arm", "epoch", "accuracy %", "recall %", "precision %", "average precision %")
    last = next(iter(figures.values())).shape[1]
    rows = [
        (arm, epoch, *(round(float(v), 2) for v in values[:, epoch - 1].mean(axis=0)))
        for epoch in (EARLY, last)
        for arm, values in figures.items()
    ]
    return Table(
        "means over the splits; recall and precision of the rare class at probability one half",
        head,
        tuple(rows),
    )


def _difference_table(found):
    rows = [(name, d.mean, d.low, d.high, f"{d.wins}/{d.n}") for name, d in found.items()]
    head = ("difference, points", "mean", "95 % low", "high", "larger in")
    return Table("paired differences, after the last epoch where none is named", head, tuple(rows))


def _threshold_table(moved):
    head = ("arm", "searched on: recall %", "precision %", "other rows: recall %", "precision %")
    rows = [(arm, *(round(float(v), 2) for v in values.mean(axis=0))) for arm, values in moved.items()]
    return Table(f"a threshold searched for {GOAL} on one half of the validation rows", head, tuple(rows))


def _traces(figures, share):
    """Return average precision, recall and accuracy by epoch."""
    marks = {3: (("a coin", share),), 0: (("always the larger class", max(share, 100 - share)),)}
    for figure, label in ((3, "average precision (%)"), (1, "recall (%)"), (0, "accuracy (%)")):
        series = [_trace(arm, values[:, :, figure]) for arm, values in figures.items()]
        yield Lines(label.split(" (")[0], "epoch", label, tuple(series), marks=marks.get(figure, ()))


def _trace(arm, values):
    mean, low, high = zip(*(mean_interval(column) for column in values.T), strict=True)
    style, known = ("dashed" if "balanced" in arm else "line"), arm.split(",")[0]
    epochs = list(range(1, 1 + len(mean)))
    return Series(arm, epochs, mean, low, high, arm=known, style=style).within(0, 100)


def _curves(runs, seed):
    """Return the precision-recall curves of the first split."""
    first = {arm: all_runs[0] for arm, all_runs in runs.items()}
    series = [
        replace(
            curve_series(arm, run["positive"], run["scores"], arm.split(",")[0]),
            style="dashed" if "balanced" in arm else "line",
        )
        for arm, run in first.items()
    ]
    share = float(first[_WITH]["positive"].mean())
    return precision_recall_chart(series, share, f"precision and recall, split {seed}")
