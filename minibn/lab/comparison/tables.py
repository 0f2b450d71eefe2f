"""A comparison in tables: losses, metrics, learning rates."""

import math

from minibn.lab.comparison.pairs import ARMS
from minibn.lab.report import Table

EPOCHS = (1, 5, 10)
METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")


def shown_epochs(comparison):
    """Return the epochs whose losses are reported: 1, 5, 10 and the last."""
    return sorted({epoch for epoch in (*EPOCHS, comparison.epochs) if 0 < epoch <= comparison.epochs})


def loss_table(comparison):
    """Return the training loss of both arms with their paired differences: means over the seeds."""
    one = len(comparison.pairs) == 1
    rows = [
        (
            epoch,
            *(_loss(comparison, arm, epoch) for arm in ARMS),
            *(() if one else _saved_cells(comparison, epoch)),
        )
        for epoch in shown_epochs(comparison)
    ]
    medians = [arm for arm in ARMS if comparison.diverged(arm) and not one]
    kind = f", medians {' and '.join(medians)}" if medians else ""
    kind = "" if one else f" over {len(comparison.pairs)} seeds{kind}"
    head = ("epoch", *ARMS, *(() if one else ("difference", "95 % interval", "lower in")))
    return Table(f"training loss (running mean){kind}", head, tuple(rows))


def _saved_cells(comparison, epoch):
    saved = comparison.loss_saved(epoch)
    if saved is None:
        return "-", "-", "-"
    return nats(-saved.mean), f"{nats(-saved.high)} to {nats(-saved.low)}", f"{saved.wins}/{saved.n}"


def nats(value):
    """Return a difference of losses as text; of one that exploded the size."""
    return f"{value:+.4f}" if abs(value) < 1e4 else f"{value:+.3g}"


def _loss(comparison, arm, epoch):
    centre = comparison.centre(arm, "train_loss", epoch)[0]
    return centre if math.isfinite(centre) else "diverged"


def metric_table(comparison):
    """Return the validation metrics of both arms with their paired differences."""
    one = len(comparison.pairs) == 1
    rows = [("majority baseline", comparison.baseline, comparison.baseline, *(() if one else ("", "", "")))]
    for name in metrics(comparison):
        means = (_metric(comparison, arm, name) for arm in ARMS)
        rows.append((name.replace("_", " "), *means, *(() if one else _difference_cells(comparison, name))))
    head = ("", *ARMS, *(() if one else ("points", "95 % interval", "better in")))
    return Table("validation part, in evaluation mode", head, tuple(rows))


def metrics(comparison):
    """Return the metrics that every run has: only two classes have an average precision."""
    ranked = [run.metrics.get("average_precision") for arm in ARMS for run in comparison.runs(arm)]
    return METRICS if None in ranked else (*METRICS, "average_precision")


def _metric(comparison, arm, name):
    """Return the mean of a metric; a single diverged run is named, not averaged."""
    if len(comparison.pairs) == 1 and comparison.diverged(arm):
        return "diverged"
    return _mean(comparison.metric(arm, name))


def _mean(values):
    return sum(values) / len(values)


def _difference_cells(comparison, name):
    d = comparison.metric_difference(name)
    return f"{d.mean:+.2f}", f"{d.low:+.2f} to {d.high:+.2f}", f"{d.wins}/{d.n}"


def tuned_table(equal, tuned, settings, tuning):
    """Return the accuracies at one rate for both arms and at each arm's own."""
    rows = []
    for label, comparison in (("equal", equal), ("tuned", tuned)):
        rates = dict.fromkeys(ARMS, settings.lr) if label == "equal" else tuning.rates
        means = [_mean(comparison.metric(arm, "accuracy")) for arm in ARMS]
        rows.append((label, *(f"{rates[arm]:g}" for arm in ARMS), *means, *_difference_or_point(comparison)))
    head = (
        "rates",
        "rate with",
        "rate without",
        "accuracy with",
        "accuracy without",
        "points",
        "95 % interval",
        "better in",
    )
    return Table("validation accuracy at equal and at tuned learning rates", head, tuple(rows))


def _difference_or_point(comparison):
    if len(comparison.pairs) > 1:
        return _difference_cells(comparison, "accuracy")
    return f"{comparison.difference.mean:+.2f}", "", f"{comparison.difference.wins}/1"


def grid_table(tuning):
    """Return the accuracies of the rates that were tried."""
    rows = [
        (f"{rate:g}", *(means[k] for means in tuning.accuracy.values())) for k, rate in enumerate(tuning.grid)
    ]
    seeds = f"seeds {tuning.seeds[0]} to {tuning.seeds[-1]}"
    return Table(
        f"learning rates tried, mean validation accuracy on {seeds}",
        ("learning rate", *tuning.accuracy),
        tuple(rows),
    )
