"""A diagnosis as a report: sentences, tables, charts."""

import math

from minibn.lab.ranking import curve_series, precision_recall_chart, threshold_point
from minibn.lab.report import Lines, Report, Series, Table


def make_report(figures, faults, notes, not_checked):
    """Return a Report with everything that was measured and can be shown."""
    return Report(
        name="doctor",
        title="doctor",
        question="What is wrong with this network, why, and what helps?",
        verdict="healthy" if not faults else f"{len(faults)} fault{'s' * (len(faults) > 1)}",
        statements=tuple(_sentence("fault", item) for item in faults) + tuple(_sentence("note", item) for item in notes),
        tables=tuple(table for make in _TABLES for table in make(figures)),
        charts=tuple(chart for make in _CHARTS for chart in make(figures)),
        numbers={"faults": [item.name for item in faults], "notes": [item.name for item in notes],
                 "not_checked": [item.name for item in not_checked]},
        conditions=_conditions(figures),
    )  # fmt: skip


def _sentence(kind, item):
    return f"{kind}, {item.name}: {item.figure}. Cause: {item.cause}. Remedy: {item.remedy}."


def _conditions(f):
    sizes = {"rows": f.case.x, "train rows": f.case.x_train}
    found = {name: len(x) for name, x in sizes.items() if x is not None}
    known = {"batch": f.case.batch_size, "epochs": None if f.case.history is None else len(f.case.history)}
    return found | {name: value for name, value in known.items() if value is not None}


def _labelled(f):
    return f.y is not None and f.finite_weights


def _passes(f):
    """Yield loss and accuracy under each kind of statistics."""
    if not _labelled(f) or not f.norms or f.exact is None:
        return
    rows = [
        (f"{f.where}, running statistics", f.with_running),
        (f"{f.where}, exact statistics", f.with_exact),
        (f"{f.where}, shuffled batches of {f.batch}", f.shuffled),
        (f"{f.where}, batches of {f.batch} sorted by class", f.sorted),
    ]
    if f.case.x_train is not None and f.given_y is not None:
        rows.append(("rows to judge, running statistics", f.given))
    if f.given_y is not None and f.given_own is not None and f.case.x_train is not None:
        rows.append(("rows to judge, exact statistics of their own", f.given_own))
    yield Table(
        "the same rows under other statistics", ("rows, statistics", "loss", "accuracy"),
        tuple((name, _finite(found.loss), found.accuracy) for name, found in rows),
    )  # fmt: skip


def _finite(value):
    return value if math.isfinite(value) else None


def _norms(f):
    """Yield a row per batch norm."""
    if f.norms:
        rows = [(n.layer, n.momentum, n.tracked, n.start_weight, n.error) for n in f.norms]
        head = ("layer", "momentum", "batches", "start left", "error (deviations)")
        yield Table("running statistics", head, tuple(rows))


def _classes(f):
    """Yield share and recall of each class of the rows to judge, at every decision there is."""
    n = None if f.case.y is None else len(f.case.y)
    for title, judged in _decisions(f):
        rows = [
            (str(row["label"]), row["support"] / n, row["precision"], row["recall"])
            for row in judged["per_class"]
        ]
        yield Table(title, ("class", "share", "precision", "recall"), tuple(rows))


def _decisions(f):
    """Return metrics of the rows to judge by title: at the threshold first, which the network is used with."""
    if f.case.y is None or not f.finite_logits:
        return []
    title = "classes of the rows to judge"
    if f.at_threshold is None:
        return [(title, f.judged)]
    return [
        (f"{title}, at the threshold {f.case.threshold:.4g}", f.at_threshold),
        (f"{title}, where the more probable one counts", f.judged),
    ]


def _ranked(f):
    """Yield average precision beside what scores without any information have, of two classes."""
    if f.scores is not None:
        row = (f.judged["positive"], f.judged["average_precision"], f.judged["prevalence"])
        head = ("positive class", "average precision", "a coin (share of positive rows)")
        yield Table("precision over all thresholds", head, ((str(row[0]), *row[1:]),))


def _precision_recall_chart(f):
    if f.scores is None:
        return
    true = f.case.y == f.judged["labels"].index(f.judged["positive"])
    series = [curve_series("this network", true, f.scores)]
    if f.at_threshold:
        label = f"threshold {f.case.threshold:.3g}"
        series.append(threshold_point(label, f.at_threshold["precision"], f.at_threshold["recall"]))
    yield precision_recall_chart(series, f.judged["prevalence"])


def _gradient_table(f):
    """Yield gradient norms by layer."""
    if _labelled(f) and len(f.x) > 1:
        rows = [(block.layer, block.output, block.weight) for block in f.gradients]
        yield Table("gradients", ("layer", "by outputs", "by weights"), tuple(rows))


def _activity(f):
    """Yield dead and saturated units by layer."""
    if f.x is not None and f.finite_weights and f.activity:
        rows = [(a.layer, a.units, a.dead, a.saturated) for a in f.activity]
        yield Table("units", ("layer", "units", "dead", "saturated"), tuple(rows))


def _loss_chart(f):
    if f.case.history:
        epochs = [record.epoch for record in f.case.history]
        curves = {
            "training, in training mode": "train_loss",
            "training, evaluation": "train_loss_eval",
            "validation": "val_loss",
        }
        series = [
            Series(label, epochs, [getattr(r, name) for r in f.case.history])
            for label, name in curves.items()
        ]
        marks = (("guessing", f.guess_loss),)
        yield Lines("loss", "epoch", "mean cross entropy (nats)", tuple(series), marks=marks)


def _gradient_chart(f):
    if _labelled(f) and len(f.x) > 1 and len(f.gradients) > 1:
        layers = list(range(1, len(f.gradients) + 1))
        by = {"by outputs": "output", "by weights": "weight"}
        series = [
            Series(label, layers, [getattr(b, name) for b in f.gradients]) for label, name in by.items()
        ]
        yield Lines("gradients", "dense layer", "norm of the gradient", tuple(series), log_y=True)


def _statistics_charts(f):
    shown = [norm for norm in f.norms if norm.error is not None]
    if not shown:
        return
    norm = max(shown, key=lambda norm: norm.error)
    order = (
        norm.exact.new_var.argsort()
    )  # of means there may be none: without a bias, standardised inputs leave 0
    for what, running, exact in (
        ("mean", norm.mean, norm.exact.new_mean),
        ("variance", norm.var, norm.exact.new_var),
    ):
        series = [Series(label, list(range(len(order))), values[order].tolist(), style=style)
                  for label, values, style in (("exact", exact, "line"), ("running", running, "points"))]  # fmt: skip
        yield Lines(f"{what} of {norm.layer}", "unit, by its exact variance", what, tuple(series))


def _recall_chart(f):
    for title, judged in _decisions(f):
        rows = judged["per_class"]
        shown = {name: [row[name] for row in rows] for name in ("recall", "precision")}
        shown["share of rows"] = [row["support"] / len(f.case.y) for row in rows]
        series = [Series(name, list(range(len(rows))), y, style="points") for name, y in shown.items()]
        yield Lines(title, "class", "share", tuple(series))


_TABLES = (_passes, _norms, _classes, _ranked, _gradient_table, _activity)
_CHARTS = (_loss_chart, _gradient_chart, _statistics_charts, _recall_chart, _precision_recall_chart)
