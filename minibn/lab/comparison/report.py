"""A comparison as a report: sentences, tables, numbers, and traces with bands."""

import math

from minibn.lab.comparison.pairs import ARMS, WITH, WITHOUT
from minibn.lab.comparison.sentences import sentences, tuned_sentences
from minibn.lab.comparison.tables import (
    grid_table,
    loss_table,
    metric_table,
    metrics,
    shown_epochs,
    tuned_table,
)
from minibn.lab.report import Lines, Report, Series


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
    statements = sentences(comparison)
    numbers = comparison_numbers(comparison)
    if tuned is not None:
        tables += [tuned_table(comparison, tuned, settings, tuning), grid_table(tuning)]
        statements += tuned_sentences(tuned, tuning)
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
    counts = {
        "diverged_with_bn": comparison.diverged(WITH),
        "diverged_without_bn": comparison.diverged(WITHOUT),
    }
    return {
        "seeds": [pair.seed for pair in comparison.pairs],
        "pairs": [_pair_numbers(pair) for pair in comparison.pairs],
        "difference": _plain(comparison.difference) | counts,
        "metrics": {name: _plain(comparison.metric_difference(name)) for name in metrics(comparison)},
        "loss_saved": [
            {"epoch": epoch} | _plain(saved)
            for epoch in shown_epochs(comparison)
            if (saved := comparison.loss_saved(epoch))
        ],
        "spread": comparison.spread and dict(zip(("ratio", "low", "high"), comparison.spread, strict=True)),
        "verdict": comparison.verdict,
    }


def _plain(difference):
    """Return a Difference without its p value, which the interval says better."""
    return {name: value for name, value in vars(difference).items() if name != "p"}


def _pair_numbers(pair):
    numbers = {"seed": pair.seed}
    for key, arm in (("with_bn", WITH), ("without_bn", WITHOUT)):
        outcome = pair.outcomes[arm]
        last = outcome.records[-1] if outcome.records and not outcome.diverged else None
        numbers[f"accuracy_{key}"] = outcome.accuracy
        numbers[f"loss_{key}"] = last and last.val_loss
        numbers[f"diverged_{key}"] = outcome.diverged
    return numbers


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
    # A diverging run must not flatten everything else.
    wide = bool(finite) and max(finite) > 100 * min(finite)
    return (
        Lines(f"loss{_bands(comparison, losses=True)}", "epoch", "loss (nats)", loss, log_y=wide),
        Lines(
            f"accuracy{_bands(comparison)}{_once_diverged(comparison)}",
            "epoch",
            "accuracy",
            accuracy,
            marks=(("majority baseline", comparison.baseline),),
        ),
    )


def _bands(comparison, losses=False):
    count = len(comparison.pairs)
    if count == 1:
        return ""
    medians = losses and any(comparison.diverged(arm) for arm in ARMS)
    others = "; diverged: medians, quartiles" if medians else ""
    return f", means of {count} seeds with 95 % intervals{others}"


def _once_diverged(comparison):
    gone = any(comparison.diverged(arm) for arm in ARMS)
    return "; once diverged: the majority baseline" if gone else ""


def _series(comparison, arm, figure, label, style):
    trace = comparison.trace(arm, figure)
    centre, low, high = zip(*trace, strict=True) if trace else ((), (), ())
    epochs = tuple(range(1, 1 + len(trace)))
    note = f" ({comparison.diverged(arm)} diverged)" if comparison.diverged(arm) else ""
    bands = (low, high) if len(comparison.pairs) > 1 else (None, None)
    series = Series(label + note, epochs, centre, *bands, arm=arm, style=style)
    return series.within(0, 1) if figure == "val_accuracy" else series
