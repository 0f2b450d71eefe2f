"""The report of a sweep: verdict, sentences, tables, charts, numbers."""

from dataclasses import asdict

from minibn.lab.comparison.pairs import WITH, WITHOUT
from minibn.lab.report import Report, Table
from minibn.lab.statistics import CANNOT_TELL, HELPS, HURTS, NO_DIFFERENCE
from minibn.lab.sweeps.cells import cells_of
from minibn.lab.sweeps.charts import MOST_MAPS, maps_left_out, shown, sweep_charts
from minibn.lab.sweeps.grid import AXES
from minibn.lab.sweeps.stable_rates import NEAR_BEST, stable_rates

_HEADS = {"batch_size": "batch", "init_scale": "init scale", "lr": "lr"}


def sweep_report(grid, results, experiment):
    """Return the report of a sweep.

    Parameters
    ----------
    grid : Grid
    results : dict
        What was found for every trial, by its key.
    experiment : Experiment
        That of one trial, for what is said of the data.

    Returns
    -------
    Report
    """
    cells = cells_of(grid, results)
    rates = stable_rates(cells)
    return Report(
        name="sweep",
        title=f"{experiment.dataset.name}, with and without batch norm",
        question="For which settings does batch norm change the accuracy on the validation part?",
        verdict=_overall(cells),
        statements=(*_differences(grid, cells), *_rate_sentences(rates), *_left_out(grid)),
        tables=(_cell_table(grid, cells), *_rate_tables(grid, rates)),
        charts=sweep_charts(grid, cells),
        numbers={
            "cells": [cell.to_dict() for cell in cells],
            "largest_stable_lr": [asdict(rate) for rate in rates],
            "trainings": len(grid.trials),
        },
        conditions=_conditions(grid, experiment),
        source="correction over all cells: Holm 1979, Scandinavian Journal of Statistics 6",
    )


def _overall(cells):
    """Return the answer for the whole grid in a few words."""
    found = [cell.verdict for cell in cells]
    for word, opposite in ((HELPS, HURTS), (HURTS, HELPS)):
        if word in found and opposite not in found:
            return word if set(found) == {word} else f"{word} in places"
    if HELPS in found:
        return "helps in places, hurts in others"
    return NO_DIFFERENCE if set(found) == {NO_DIFFERENCE} else CANNOT_TELL


def _differences(grid, cells):
    if len(grid.seeds) == 1:
        yield "One seed gives no interval: nothing can be called significant. Use several."
        return
    counts = {word: sum(cell.verdict == word for cell in cells) for word in (HELPS, HURTS, NO_DIFFERENCE)}
    yield (
        f"Of {len(cells)} {'cell' if len(cells) == 1 else 'cells'} batch norm helps in {counts[HELPS]}, hurts in {counts[HURTS]}, makes no difference (less "
        f"than a point) in {counts[NO_DIFFERENCE]}; {len(cells) - sum(counts.values())} cannot tell. Significance is at "
        "5 % over all cells together."
    )
    for word, pick in ((HELPS, max), (HURTS, min)):
        if counts[word]:
            best = pick((c for c in cells if c.verdict == word), key=lambda cell: cell.difference.mean)
            yield f"It {word} most at {_place(best.values)}: {_interval(best.difference)}."


def _place(values):
    return ", ".join(f"{AXES[name]} {shown(value)}" for name, value in values.items())


def _interval(found):
    return (
        f"{found.mean:+.1f} points (95 % interval {found.low:+.1f} to {found.high:+.1f}, "
        f"better in {found.wins} of {found.n} seeds)"
    )


def _rate_sentences(rates):
    """Say how large a rate each arm bears: one sentence for a single pair, a count for several."""
    pairs = list(zip(rates[::2], rates[1::2], strict=True))
    if len(pairs) == 1:
        yield from _one_pair(*pairs[0])
    elif pairs:
        known = [(ours.stable or 0, theirs.stable or 0) for ours, theirs in pairs]
        more, fewer = (sum(a > b for a, b in known), sum(a < b for a, b in known))
        yield (
            f"The largest stable learning rate is larger with batch norm in {more} of {len(pairs)} combinations of the "
            f"other settings, smaller in {fewer}. {_DEFINITION}"
        )


_DEFINITION = (
    f"Stable: no run diverged, and the mean accuracy is within {NEAR_BEST:g} points of the arm's best."
)


def _one_pair(ours, theirs):
    yield f"Largest stable learning rate: {_borne(ours)} {WITH}, {_borne(theirs)} {WITHOUT}. {_DEFINITION}"
    if (ours.finite, theirs.finite) != (ours.stable, theirs.stable):
        yield f"Largest rate at which no run diverged: {_or_none(ours.finite)} {WITH}, {_or_none(theirs.finite)} {WITHOUT}."


def _borne(rate):
    if not rate.learns:
        return "none (nothing is learned at any rate)"
    more = " or more, the largest tried," if rate.stable == rate.largest_tried else ""
    return f"{_or_none(rate.stable)}{more}"


def _or_none(lr):
    return "none" if lr is None else f"{lr:g}"


def _left_out(grid):
    left = maps_left_out(grid)
    if left:
        yield f"Heat maps show {MOST_MAPS} of {MOST_MAPS + left} combinations of the further settings; the table holds all."


def _cell_table(grid, cells):
    head = (*(_HEADS.get(name, name) for name in grid.axes), "with", "without", "difference", "low", "high",
            "wins", "diverged with", "without", "verdict")  # fmt: skip
    return Table("validation accuracy in points, mean over seeds", head, tuple(_row(cell) for cell in cells))


def _row(cell):
    found, diverged = cell.difference, (cell.with_bn.diverged, cell.without_bn.diverged)
    ends = (None if end is None else f"{end:+.2f}" for end in (found.mean, found.low, found.high))
    means = (f"{arm.mean:.2f}" for arm in cell.arms.values())
    return (
        *map(shown, cell.values.values()),
        *means,
        *ends,
        f"{found.wins}/{found.n}",
        *diverged,
        cell.verdict,
    )


def _rate_tables(grid, rates):
    if not rates:
        return ()
    others = [name for name in grid.axes if name != "lr"]
    head = (*(_HEADS.get(name, name) for name in others), "", "best lr", "accuracy there", "largest stable lr",
            "largest without divergence")  # fmt: skip
    rows = tuple(
        (*(shown(r.values[name]) for name in others), r.arm, f"{r.best_lr:g}", f"{r.best_accuracy:.2f}",
         _or_none(r.stable), _or_none(r.finite))
        for r in rates
    )  # fmt: skip
    return (Table("learning rates, chosen and scored on the same seeds", head, rows),)


def _conditions(grid, experiment):
    """Return what was run on what, a line each."""
    s, swept = grid.trials[0].settings, grid.axes
    fixed = {
        "hidden": "hidden " + " - ".join(map(str, s.hidden)),
        "activation": s.activation,
        "init_scale": f"weights scaled by {s.init_scale:g}" if s.init_scale != 1 else "",
    }
    training = {
        "batch_size": f"batch {s.batch_size}",
        "lr": f"learning rate {s.lr:g}",
        "momentum": f"momentum {s.momentum:g}" if s.momentum else "",
    }
    if "depth" in swept and "hidden" not in swept:
        fixed["hidden"] = f"hidden units {s.hidden[-1]}"
    scale = f"scale {s.scale}" + (f", inputs shifted by {s.shift_inputs:g}" if s.shift_inputs else "")
    return {
        "data": f"{experiment.dataset.name}: {len(experiment.y_train)} training and {len(experiment.y_validation)} "
        f"validation rows, {experiment.x_train.shape[1]} features, {len(experiment.dataset.labels)} classes, {scale}",
        "network": ", ".join(text for name, text in fixed.items() if name not in swept and text),
        "training": ", ".join(
            [
                f"{s.epochs} epochs, {s.optimizer}",
                *(t for name, t in training.items() if name not in swept and t),
            ]
        ),
        "swept": "; ".join(f"{AXES[name]} {', '.join(map(shown, values))}" for name, values in swept.items()),
        "seeds": _seeds(grid.seeds),
    }


def _seeds(seeds):
    consecutive = len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
