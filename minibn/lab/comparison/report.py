"""A comparison as a report: tables, traces with bands, and what may be said."""

import math

import numpy as np

from minibn.lab.comparison.pairs import ARMS, WITH, WITHOUT
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import CANNOT_TELL, HELPS, HURTS, MARGIN, NO_DIFFERENCE

EPOCHS = (1, 5, 10)
METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")
_MEANING = {
    NO_DIFFERENCE: f"less than {MARGIN:g} point, in either direction, is no difference",
    HELPS: "the whole interval lies above 0",
    HURTS: "the whole interval lies below 0",
    CANNOT_TELL: "the interval holds 0 and more than a point; more seeds would narrow it",
}


def comparison_report(comparison, settings, tuned=None, tuning=None):
    """Return the report of a comparison.

    Parameters
    ----------
    comparison : Comparison
        At the settings' learning rate in both arms.
    settings : Settings
    tuned : Comparison, optional
        At each arm's own rate.
    tuning : Tuning, optional

    Returns
    -------
    Report
    """
    tables = [loss_table(comparison), metric_table(comparison)]
    statements = [
        statement(comparison, "at equal learning rates"),
        *_divergence(comparison),
        *_scatter(comparison),
    ]
    numbers = comparison_numbers(comparison)
    if tuned is not None:
        tables += [_tuned_table(comparison, tuned, settings, tuning), _grid_table(tuning)]
        rates = " and ".join(f"{rate:g} {arm}" for arm, rate in tuning.rates.items())
        statements += [statement(tuned, f"with tuned learning rates ({rates})"), *_divergence(tuned)]
        numbers["tuned"] = comparison_numbers(tuned) | {
            "rates": {"with_bn": tuning.rates[WITH], "without_bn": tuning.rates[WITHOUT]},
            "grid": list(tuning.grid),
            "tuning_seeds": list(tuning.seeds),
        }
    return Report(
        name="compare",
        title="with and without batch norm",
        question="Does batch norm change the validation accuracy of this network on these data?",
        verdict=comparison.verdict if tuned is None else f"{comparison.verdict}; tuned: {tuned.verdict}",
        statements=tuple(statements),
        tables=tuple(tables),
        charts=charts(comparison),
        numbers=numbers,
    )


def comparison_numbers(comparison):
    """Return seeds, pairs, difference and verdict, JSON-able; accuracies as shares, the difference in points."""
    d = comparison.difference
    return {
        "seeds": [pair.seed for pair in comparison.pairs],
        "pairs": [_pair_numbers(pair) for pair in comparison.pairs],
        "difference": {
            "mean": d.mean,
            "low": d.low,
            "high": d.high,
            "wins": d.wins,
            "n": d.n,
            "diverged_with_bn": comparison.diverged(WITH),
            "diverged_without_bn": comparison.diverged(WITHOUT),
        },
        "spread": comparison.spread and dict(zip(("ratio", "low", "high"), comparison.spread, strict=True)),
        "verdict": comparison.verdict,
    }


def _pair_numbers(pair):
    numbers = {"seed": pair.seed}
    for key, arm in (("with_bn", WITH), ("without_bn", WITHOUT)):
        outcome = pair.outcomes[arm]
        last = outcome.records[-1] if outcome.records and not outcome.diverged else None
        numbers[f"accuracy_{key}"] = outcome.accuracy
        numbers[f"loss_{key}"] = last and last.val_loss
        numbers[f"diverged_{key}"] = outcome.diverged
    return numbers


def statement(comparison, where):
    """Return the difference in one sentence."""
    d = comparison.difference
    if d.low is None:
        return f"One pair {where}: {d.mean:+.2f} points with batch norm. One seed says nothing about the next; use --seeds."
    return (
        f"{where[0].upper()}{where[1:]}, batch norm changes the validation accuracy by {d.mean:+.2f} points "
        f"(95 % interval {d.low:+.2f} to {d.high:+.2f}, {d.n} seeds, better in {d.wins}): {comparison.verdict}, "
        f"as {_MEANING[comparison.verdict]}."
    )


def _scatter(comparison):
    """Yield a sentence on how far the accuracy scatters over seeds."""
    if comparison.spread is None:
        return
    with_bn, without = (100 * float(np.std(comparison.metric(arm, "accuracy"), ddof=1)) for arm in ARMS)
    ratio, low, high = comparison.spread
    yield (
        f"Over seeds the accuracy scatters by {with_bn:.2f} points {WITH} and {without:.2f} {WITHOUT}: {ratio:.2f} "
        f"times as much (95 % interval {low:.2f} to {high:.2f})."
    )


def _divergence(comparison):
    """Yield a sentence for each arm in which runs diverged."""
    for arm in ARMS:
        if count := comparison.diverged(arm):
            yield (
                f"{count} of {len(comparison.pairs)} runs {arm} diverged. They count as the majority baseline in "
                "every accuracy; losses of that arm are medians."
            )


def loss_table(comparison):
    """Return the training loss of both arms, means over the seeds, at epochs 1, 5, 10 and the last."""
    shown = sorted(
        {*(e for e in EPOCHS if e <= comparison.epochs), *([comparison.epochs] if comparison.epochs else [])}
    )
    rows = [(epoch, *(_loss(comparison, arm, epoch) for arm in ARMS)) for epoch in shown]
    medians = [arm for arm in ARMS if comparison.diverged(arm) and len(comparison.pairs) > 1]
    kind = f", medians {' and '.join(medians)}" if medians else ""
    kind = f" over {len(comparison.pairs)} seeds{kind}" if len(comparison.pairs) > 1 else ""
    return Table(f"training loss (running mean){kind}", ("epoch", *ARMS), tuple(rows))


def _loss(comparison, arm, epoch):
    centre = comparison.centre(arm, "train_loss", epoch)[0]
    return centre if math.isfinite(centre) else "diverged"


def metric_table(comparison):
    """Return the validation metrics of both arms with their paired differences."""
    one = len(comparison.pairs) == 1
    baseline = _mean([pair.outcomes[WITH].majority["accuracy"] for pair in comparison.pairs])
    rows = [("majority baseline", baseline, baseline, *(() if one else ("", "", "")))]
    for name in _metrics(comparison):
        means = (_metric(comparison, arm, name) for arm in ARMS)
        rows.append((name.replace("_", " "), *means, *(() if one else _difference_cells(comparison, name))))
    head = ("", *ARMS, *(() if one else ("points", "95 % interval", "better in")))
    return Table("validation part, in evaluation mode", head, tuple(rows))


def _metrics(comparison):
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


def _tuned_table(equal, tuned, settings, tuning):
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


def _grid_table(tuning):
    rows = [
        (f"{rate:g}", *(means[k] for means in tuning.accuracy.values())) for k, rate in enumerate(tuning.grid)
    ]
    seeds = f"seeds {tuning.seeds[0]} to {tuning.seeds[-1]}"
    return Table(
        f"learning rates tried, mean validation accuracy on {seeds}",
        ("learning rate", *tuning.accuracy),
        tuple(rows),
    )


def charts(comparison):
    """Return traces of losses and of accuracy, with bands where there are several seeds."""
    loss = tuple(
        _series(comparison, arm, figure, f"{label}, {arm}", style)
        for arm in ARMS
        for figure, label, style in (("train_loss", "training", "line"), ("val_loss", "validation", "dashed"))
    )
    drawn = [v for s in loss for line in (s.y, s.low or (), s.high or ()) for v in line]
    finite = [v for v in drawn if math.isfinite(v) and v > 0]
    accuracy = tuple(_series(comparison, arm, "val_accuracy", f"validation, {arm}", "line") for arm in ARMS)
    wide = bool(finite) and max(finite) > 100 * min(
        finite
    )  # a diverging run must not flatten everything else
    baseline = _mean([pair.outcomes[WITH].majority["accuracy"] for pair in comparison.pairs])
    return (
        Lines(f"loss{_bands(comparison, losses=True)}", "epoch", "loss (nats)", loss, log_y=wide),
        Lines(
            f"accuracy{_bands(comparison)}",
            "epoch",
            "accuracy",
            accuracy,
            marks=(("majority baseline", baseline),),
        ),
    )


def _bands(comparison, losses=False):
    count = len(comparison.pairs)
    if count == 1:
        return ""
    medians = losses and any(comparison.diverged(arm) for arm in ARMS)
    others = "; diverged: medians, quartiles" if medians else ""
    return f", means of {count} seeds with 95 % intervals{others}"


def _series(comparison, arm, figure, label, style):
    trace = comparison.trace(arm, figure)
    centre, low, high = zip(*trace, strict=True) if trace else ((), (), ())
    epochs = tuple(range(1, 1 + len(trace)))
    note = f" ({comparison.diverged(arm)} diverged)" if comparison.diverged(arm) else ""
    bands = (low, high) if len(comparison.pairs) > 1 else (None, None)
    return Series(label + note, epochs, centre, *bands, arm=arm, style=style)
