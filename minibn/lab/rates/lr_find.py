"""The learning-rate range test: one short training while the rate rises, with and without batch norm."""

import warnings

import numpy as np

from minibn.data import class_weights
from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.lab.comparison.pairs import WITH, WITHOUT, experiments
from minibn.lab.rates.rate_curve import rate_curve
from minibn.lab.report import Lines, Report, Series, Table
from minibn.lab.steps import StepTrainer
from minibn.nn import SoftmaxCrossEntropy
from minibn.train import build, with_arm
from minibn.train.experiment import optimizer_of

SOURCE = "Smith 2017, Cyclical Learning Rates for Training Neural Networks, section 3.3 (arXiv 1506.01186)"
STARTING_POINT = (
    "A suggestion is a starting point, not a tuned rate: the rate rises while the weights move, so a curve depends on "
    "its pace. Compare rates around it with minibn sweep."
)


def lr_find(settings, *, arms=(True, False), seeds=range(5), low=1e-4, high=100.0, steps=300):
    """Raise the learning rate step by step and report where the loss falls fastest, and where it climbs again.

    Smith lets the rate rise linearly and reads accuracy; here it rises geometrically and the loss of each batch
    before its update is read, which needs no evaluation and shows rates of every size alike.

    Parameters
    ----------
    settings : Settings
        ``lr`` and ``epochs`` do not count.
    arms : sequence of bool
        With and without batch norm.
    seeds : sequence of int
        Both arms share data, initial draws and batches of a seed; curves are medians over the seeds.
    low, high : float
        First and last rate.
    steps : int
        At least 20.

    Returns
    -------
    Report

    Raises
    ------
    MinibnError
        A subclass for every unusable setting or data set.
    """
    rates = _rates(low, high, steps)
    seeds, arms = list(seeds), list(arms)
    if not seeds or not arms:
        raise ArgumentError("seeds and arms must not be empty; pass e.g. range(5) and (True, False)")
    losses: dict = {bn: [] for bn in arms}
    for experiment in experiments(settings, seeds):
        for bn in arms:
            losses[bn].append(range_test(with_arm(experiment, bn), rates))
    curves = [rate_curve(WITH if bn else WITHOUT, rates, np.array(losses[bn])) for bn in arms]
    return _report(experiment, seeds, curves)


def _rates(low, high, steps):
    low, high = checks.number("low", low, 0.0), checks.number("high", high, 0.0)
    if not 0 < low < high:
        raise ArgumentError(
            f"low and high must be 0 < low < high, got {low:g} and {high:g}; 1e-4 and 100 are usual"
        )
    return np.geomspace(low, high, checks.whole("steps", steps, 20))


def range_test(experiment, rates):
    """Train a network once, with one rate for every step.

    Parameters
    ----------
    experiment : Experiment
    rates : ndarray of float64, shape (S,)

    Returns
    -------
    ndarray of float64, shape (S,)
        Loss of each batch before its update, in training mode; infinite from the step on at which it was not finite.
    """
    s, labels = experiment.settings, experiment.dataset.labels
    weights = (
        None if s.class_weight is None else class_weights(experiment.y_train, len(labels), s.class_weight)
    )
    trainer = StepTrainer(
        build(experiment), experiment.x_train, experiment.y_train, optimizer=optimizer_of(experiment),
        batch_size=min(s.batch_size, len(experiment.y_train)), seed=s.seed, loss=SoftmaxCrossEntropy(weights),
    )  # fmt: skip
    with warnings.catch_warnings():  # the rate is to rise until training breaks
        warnings.filterwarnings("ignore", "BatchNorm met a batch", RuntimeWarning)
        found = np.array(trainer.advance(len(rates), rates))
    losses = np.full(len(rates), np.inf)
    losses[: len(found)] = np.where(np.isfinite(found), found, np.inf)
    return losses


def _report(experiment, seeds, curves):
    s, name = experiment.settings, experiment.dataset.name
    return Report(
        name="lr-find",
        title=f"{name}, learning-rate range test",
        question="At which learning rates does the loss fall, and from which on does it climb again?",
        verdict=", ".join(f"{_figure(curve.steepest)} {curve.arm}" for curve in curves),
        statements=(*map(_sentence, curves), STARTING_POINT),
        tables=(Table("rates", ("", "steepest descent", "largest before it climbs", "lowest loss"), tuple(map(_row, curves))),),
        charts=(_chart(curves),),
        numbers={curve.arm.replace(" batch norm", "_bn"): _numbers(curve) for curve in curves},
        conditions={
            "data": f"{name}: {len(experiment.y_train)} training rows",
            "network": f"hidden {' - '.join(map(str, s.hidden))}, {s.activation}",
            "training": f"{len(curves[0].rates)} steps of batch {s.batch_size}, {s.optimizer}, rate {curves[0].rates[0]:g} to {curves[0].rates[-1]:g}",
            "seeds": f"{', '.join(map(str, seeds))}; medians",
        },
        source=SOURCE,
    )  # fmt: skip


def _figure(rate):
    return "none" if rate is None else f"{rate:.2g}"


def _sentence(curve):
    if curve.steepest is None:
        return f"{curve.arm.capitalize()} the loss never falls by a fifth: no rate is suggested."
    ending = (
        f"does not climb again up to {_figure(curve.rates[-1])}, the largest tried"
        if curve.largest is None
        else f"climbs again, giving back half of its gain, beyond {_figure(curve.largest)}"
    )
    return f"{curve.arm.capitalize()} the loss falls fastest at {_figure(curve.steepest)}; it {ending}."


def _row(curve):
    return (curve.arm, _figure(curve.steepest), _figure(curve.largest), f"{curve.losses.min():.3f}")


def _numbers(curve):
    shown = [float(loss) if np.isfinite(loss) else None for loss in curve.losses]
    return {
        "suggestion": curve.steepest,
        "largest": curve.largest,
        "rates": curve.rates.tolist(),
        "losses": shown,
    }


def _chart(curves):
    """Return all curves in one plot, each a little beyond the point where it climbs, with its rates as points."""
    series = [_series(curve) for curve in curves]
    points = [
        _point(curve, label, rate)
        for curve in curves
        for label, rate in (("steepest", curve.steepest), ("largest", curve.largest))
        if rate is not None
    ]
    return Lines(
        "loss while the learning rate rises", "learning rate of the step", "training loss (nats), smoothed",
        (*series, *points), log_x=True,
    )  # fmt: skip


def _series(curve):
    top = 1.5 * curve.losses[0]
    losses = [float(loss) if loss <= top else None for loss in curve.losses]
    return Series(curve.arm, curve.rates.tolist(), losses, arm=curve.arm)


def _point(curve, label, rate):
    height = float(curve.losses[curve.rates == rate][0])
    return Series(f"{label}, {_figure(rate)}", [rate], [height], arm=curve.arm, style="points")
