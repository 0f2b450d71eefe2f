"""The loss around the weights with and without batch norm, covariate shift, and batch norm made noisy."""

import math

import numpy as np

from minibn.lab.layers.noise import with_noise
from minibn.lab.probes import covariate_shift, walk
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.statistics import CANNOT_TELL, mean_interval, paired_difference, ratio_interval
from minibn.lab.studies.study import study
from minibn.lab.studies.trained import experiment_of, trainer_of
from minibn.nn import mlp

NETS = (("relu", 10, 0.05), ("sigmoid", 10, 0.1), ("tanh", 5, 0.1))
UNITS, BATCH, STEPS, EVERY = 100, 128, 300, 30
NOISY = ("relu", "sigmoid")
WITH, WITHOUT, NOISY_WITH, NOISY_WITHOUT = (
    "with batch norm", "without batch norm", "noisy batch norm", "noise without batch norm"
)  # fmt: skip
MEASURES = {
    "loss_range": "loss range",
    "gradient_distance": "gradient distance",
    "smoothness": "effective smoothness",
    "shift": "covariate shift",
    "cosine": "its cosine",
    "relative_range": "loss range / loss",
}
SMOOTH = ("loss_range", "gradient_distance", "smoothness")
SOURCE = "Santurkar et al. 2018, How does batch normalization help optimization?, arXiv 1805.11604, sec. 2-3"


@study(
    "landscape",
    question="Does batch norm smooth the loss, does it reduce internal covariate shift, and does it need a stable distribution?",
    source=SOURCE,
    statement="loss falls faster, smoothly and quickly with batch norm",
    seconds=60,
)  # fmt: skip
def landscape(setup):
    """Train three nets in both arms at one rate, looking around at every 30th step; two nets with noise as well."""
    seeds, steps = setup.seeds_or(5, 2), 60 if setup.quick else STEPS
    nets = NETS[:1] if setup.quick else NETS
    found = {(net, arm): [] for net in nets for arm in _arms_of(net[0])}
    for seed in seeds:
        for net in nets:
            setup.progress(f"landscape: seed {seed}, {_name(net)}")
            experiment = experiment_of(setup, seed, hidden=(UNITS,) * net[1], activation=net[0])
            for arm in _arms_of(net[0]):
                found[net, arm].append(_followed(experiment, net, arm, steps))
    return _report(experiment, seeds, steps, nets, found)


def _arms_of(activation):
    return (WITHOUT, WITH, *((NOISY_WITHOUT, NOISY_WITH) if activation in NOISY else ()))


def _name(net):
    return f"{net[1]} x {UNITS} {net[0]}"


def _followed(experiment, net, arm, steps):
    """Train one arm; return losses, accuracy, and what the probes found, by step."""
    activation, depth, rate = net
    seed, x, y = experiment.settings.seed, experiment.x_train, experiment.y_train
    sizes = (x.shape[1], *(UNITS,) * depth, len(experiment.dataset.labels))
    model = mlp(
        sizes, bn=arm in (WITH, NOISY_WITH), activation=activation, init="glorot", rng=np.random.default_rng([seed, depth])
    )  # fmt: skip
    noisy = arm in (NOISY_WITH, NOISY_WITHOUT)
    if noisy:
        model = with_noise(model, seed)
    trainer = trainer_of(experiment, rate, BATCH, model=model, engine="eager" if noisy else "program")
    looks = {}
    for step in range(0, steps, EVERY):
        if not noisy and not trainer.diverged:
            rows = np.random.default_rng([seed, step]).permutation(len(x))[:BATCH]
            looks[step] = _look(model, x[rows], y[rows], rate)
        trainer.advance(EVERY)
    return {
        "losses": trainer.losses,
        "loss": float(np.mean(trainer.losses[-EVERY:])),
        "accuracy": 100.0 * trainer.accuracy(experiment.x_validation, experiment.y_validation),
        "diverged": trainer.diverged,
        "looks": looks,
    }


def _look(model, x, y, rate):
    seen, moved = walk(model, x, y, rate), covariate_shift(model, x, y, rate)
    return {
        "loss_range": seen.loss_range,
        "gradient_distance": seen.gradient_distance,
        "smoothness": seen.smoothness,
        "shift": moved.distance,
        "cosine": moved.cosine,
        "relative_range": seen.loss_range / seen.loss,
    }


def _mean_look(run, measure):
    return float(np.mean([look[measure] for look in run["looks"].values()]))


def _by_seed(runs, measure):
    return [_mean_look(run, measure) for run in runs]


def _mean(values):
    """Return mean, low, high; where a figure is not finite the median, without an interval, None if that is not."""
    if np.isfinite(values).all():
        return mean_interval(values)
    middle = float(np.median(np.nan_to_num(values, nan=np.inf)))
    return middle if math.isfinite(middle) else None, None, None


def _losses(runs):
    return [run["loss"] for run in runs]


def _summary(net, found, classes):
    """Return a net's figures: means of each arm, ratios of the arms, and whether the plain net trains."""
    none, bn = found[net, WITHOUT], found[net, WITH]
    arms = {
        arm: {"loss": _mean(_losses(found[net, arm])), "accuracy": _mean([r["accuracy"] for r in found[net, arm]]), "diverged": sum(r["diverged"] for r in found[net, arm])}
        for arm in _arms_of(net[0])
    }  # fmt: skip
    for arm, runs in ((WITHOUT, none), (WITH, bn)):
        arms[arm] |= {measure: _mean(_by_seed(runs, measure)) for measure in MEASURES}
    kept = (
        _kept(*(_losses(found[net, arm]) for arm in (WITHOUT, NOISY_WITH, WITH))) if net[0] in NOISY else None
    )
    ratios = {m: _ratio(_by_seed(none, m), _by_seed(bn, m)) for m in MEASURES if m != "cosine"}
    return {
        "net": _name(net), "rate": net[2], "arms": arms, "ratios": ratios,
        "none_trains": (arms[WITHOUT]["loss"][0] or math.inf) < 0.9 * math.log(classes), "kept": kept,
    }  # fmt: skip


def _ratio(none, bn):
    """Return the geometric mean of the ratio none / batch norm with its interval, None where one is not finite."""
    usable = np.isfinite(none).all() and np.isfinite(bn).all() and min(*none, *bn) > 0
    return ratio_interval(none, bn) if usable else None


def _kept(none, noisy, bn):
    """Return the share of batch norm's gain in training loss that noise leaves, None where no gain is certain."""
    if not np.isfinite([none, noisy, bn]).all():
        return None
    gain = paired_difference(none, bn)
    if gain.low is None or gain.low <= 0:
        return None
    return float(np.mean(np.subtract(none, noisy)) / gain.mean)


def _verdict(summaries):
    """Return whether all, some or none of the measures are smaller with batch norm, on nets that train without."""
    ratios = [s["ratios"][m] for s in summaries if s["none_trains"] for m in SMOOTH]
    if not ratios or any(ratio is None or ratio[1] is None for ratio in ratios):
        return CANNOT_TELL
    smoother = [low > 1 for _, low, _ in ratios]
    return "yes" if all(smoother) else "in part" if any(smoother) else "no"


def _report(experiment, seeds, steps, nets, found):
    classes = len(experiment.dataset.labels)
    summaries = [_summary(net, found, classes) for net in nets]
    return Report(
        name="landscape",
        title=f"The loss around the weights, {experiment.dataset.name}",
        question="Does batch norm smooth the loss, and does it reduce internal covariate shift?",
        verdict=_verdict(summaries),
        statements=tuple(sentence for summary in summaries for sentence in _sentences(summary, classes)),
        tables=(_measure_table(summaries), _ratio_table(summaries), _noise_table(summaries)),
        charts=(*(chart for net in nets for chart in _charts(net, found)), _shift_chart(nets, found)),
        numbers={"nets": summaries},
        conditions={
            "data": f"{experiment.dataset.name}, {len(experiment.y_train)} training rows, standardised",
            "networks": ", ".join(f"{_name(net)} at lr {net[2]:g}" for net in nets) + "; Glorot; the same rate in both arms",
            "training": f"sgd, batch {min(BATCH, len(experiment.x_train))}, {steps} steps; loss: mean of the last {EVERY} batches, training mode",
            "probes": f"every {EVERY} steps on one batch, all parameters; 0.5 to 4 learning rates along the gradient",
            "seeds": list(seeds),
        },
        source=SOURCE,
    )  # fmt: skip


def _sentences(summary, classes):
    ratios, arms = summary["ratios"], summary["arms"]
    yield f"{summary['net']}: training loss {_text(arms[WITHOUT]['loss'])} without batch norm, {_text(arms[WITH]['loss'])} with it; without / with: " + ", ".join(
        f"{MEASURES[m]} {_ratio_text(ratios[m])}" for m in SMOOTH
    ) + "."  # fmt: skip
    if not summary["none_trains"]:
        diverged = arms[WITHOUT]["diverged"]
        yield (
            f"{summary['net']} diverges without batch norm in {diverged} seeds."
            if diverged
            else f"{summary['net']} does not learn without batch norm (chance is {math.log(classes):.3f}): its loss is flat, and a small range there is no merit."
        )
    shift = ratios["shift"]
    yield f"{summary['net']}: internal covariate shift {_shifted(shift)} (relative change of a gradient {_text(arms[WITHOUT]['shift'])} without, {_text(arms[WITH]['shift'])} with; ratio {_ratio_text(shift)})."
    if NOISY_WITH in arms:
        kept = "" if summary["kept"] is None else f", which keeps {100 * summary['kept']:.0f} % of the gain"
        yield f"{summary['net']}: with noise that shifts every activation anew at each step, batch norm trains to {_text(arms[NOISY_WITH]['loss'])}{kept}; the plain network with that noise to {_text(arms[NOISY_WITHOUT]['loss'])}."


def _shifted(ratio):
    if ratio is None or ratio[1] is None or ratio[1] <= 1 <= ratio[2]:
        return "cannot be told apart"
    return "is smaller with batch norm" if ratio[1] > 1 else "is larger with batch norm"


def _text(interval):
    return (
        "not finite"
        if interval[0] is None
        else f"{interval[0]:.3f}"
        if interval[0] < 1e4
        else f"{interval[0]:.1e}"
    )


def _ratio_text(ratio):
    if ratio is None:
        return "not finite"
    return f"{ratio[0]:.2f}" + ("" if ratio[1] is None else f" ({ratio[1]:.2f} to {ratio[2]:.2f})")


def _measure_table(summaries):
    rows = tuple(
        (s["net"], arm, s["arms"][arm]["loss"][0], *(s["arms"][arm][m][0] for m in MEASURES))
        for s in summaries
        for arm in (WITHOUT, WITH)
    )
    return Table("mean over probes and seeds", ("net", "arm", "training loss", *MEASURES.values()), rows)


def _ratio_table(summaries):
    rows = tuple(
        (s["net"], MEASURES[m], *(ratio or (None, None, None)))
        for s in summaries
        for m, ratio in s["ratios"].items()
    )
    return Table("ratio without / with batch norm, geometric mean over seeds", ("net", "measure", "ratio", "low", "high"), rows)  # fmt: skip


def _noise_table(summaries):
    rows = tuple(
        (s["net"], arm, *figures["loss"], figures["accuracy"][0], figures["diverged"])
        for s in summaries
        for arm, figures in s["arms"].items()
    )
    head = ("net", "arm", "training loss", "low", "high", "validation accuracy %", "diverged")
    return Table("training, with and without noise", head, rows)


def _charts(net, found):
    arms = (WITH, WITHOUT)
    losses = [
        Series(arm, *_smoothed([run["losses"] for run in found[net, arm]]), arm=arm if arm in arms else None, style="line" if arm in arms else "dashed")
        for arm in _arms_of(net[0])
    ]  # fmt: skip
    yield Lines(f"{_name(net)}, lr {net[2]:g}", "step", "training loss", tuple(losses))
    series = [Series(arm, *_over_steps(found[net, arm], "loss_range"), arm=arm) for arm in arms]
    yield Lines(f"{_name(net)}: loss range", "step", "loss range", tuple(series), log_y=True)


def _shift_chart(nets, found):
    styles = dict(zip(nets, ("line", "dashed", "dotted"), strict=False))
    series = tuple(
        Series(f"{net[0]}, {arm}", *_over_steps(found[net, arm], "shift"), arm=arm, style=styles[net])
        for net in nets
        for arm in (WITH, WITHOUT)
    )
    return Lines("internal covariate shift", "step", "relative change of a gradient", series, log_y=True)


def _smoothed(losses):
    """Return steps and the mean loss over each stretch between probes, over seeds."""
    steps = -(-max(map(len, losses)) // EVERY) * EVERY
    full = np.array([np.pad(curve, (0, steps - len(curve)), constant_values=np.nan) for curve in losses])
    means = full.reshape(len(losses), -1, EVERY).mean(axis=(0, 2))
    return (np.arange(len(means)) * EVERY + EVERY / 2).tolist(), means.tolist()


def _over_steps(runs, measure):
    """Return steps and the geometric mean of a measure over seeds."""
    steps = [step for step in runs[0]["looks"] if all(step in run["looks"] for run in runs)]
    values = np.array([[run["looks"][step][measure] for step in steps] for run in runs])
    with np.errstate(divide="ignore", invalid="ignore"):
        return steps, np.exp(np.log(values).mean(axis=0)).tolist()
