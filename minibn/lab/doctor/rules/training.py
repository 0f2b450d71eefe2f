"""What the history of the training looks like."""

import math
from itertools import pairwise

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.registry import Fault, NotChecked, rule

_SHORTEST = 3  # epochs that a course needs


@rule("diverging loss")
def diverging(f):
    """Find a loss that is not finite, ended above that of guessing, or far above its own lowest."""
    losses = None if f.case.history is None else f.train_losses
    figure = _not_finite(f) or (losses and _risen(f, losses))
    if not figure:
        return NotChecked("no history of the training was given") if losses is None else None
    return Fault(
        figure,
        "steps larger than the surface of the loss allows: the learning rate is too high",
        "a learning rate ten times lower; minibn lr-find shows where to start; scale the inputs",
    )


def _not_finite(f):
    if f.case.failed:
        failed = f.case.failed
        return f"the loss was not finite at epoch {failed['epoch']}, step {failed['step']}, first in {failed['layer']}"
    return None if f.finite_weights else "weights are not finite"


def _risen(f, losses):
    last, lowest, guess = losses[-1], min(losses), math.log(f.model.out_features)
    if last > limit.RISEN * guess or not math.isfinite(last):
        return f"the training loss ended at {last:.3g}; guessing among {f.model.out_features} classes has {guess:.3g}"
    if max(losses) > limit.LEAPT * guess:
        return f"the training loss stood at {max(losses):.3g} in epoch {losses.index(max(losses)) + 1}; guessing has {guess:.3g}"
    if len(losses) >= _SHORTEST and last > limit.REBOUND * lowest and last > guess / 2:
        return f"the training loss ended at {last:.3g}, after {lowest:.3g} at its lowest"
    return None


@rule("stuck loss", "history", "any labels")
def stuck(f):
    """Find a loss that never fell below that of guessing."""
    if len(f.train_losses) < _SHORTEST:
        return NotChecked(f"the history has fewer than {_SHORTEST} epochs")
    lowest, guess = min(f.train_losses), f.guess_loss
    if lowest < limit.STUCK * guess:
        return None
    return Fault(
        f"the training loss never fell below {lowest:.3g} in {len(f.train_losses)} epochs; guessing by class shares has {guess:.3g}",
        "no gradient, or none that leads anywhere: vanishing gradients, dead units, a wrong learning rate, shuffled labels",
        "look at the gradients above; try --bn and other learning rates, check the labels",
    )


@rule("noisy loss", "history", "any labels")
def noisy(f):
    """Sum up all rises of the training loss."""
    losses = f.train_losses
    if len(losses) < _SHORTEST:
        return NotChecked(f"the history has fewer than {_SHORTEST} epochs")
    rises = [b - a for a, b in pairwise(losses) if b > a]
    if not sum(rises) >= limit.NOISE * f.guess_loss * len(losses):
        return None
    return Fault(
        f"the training loss climbed in {len(rises)} of {len(losses)} epochs, by {max(rises):.3g} at most; guessing by "
        f"class shares has {f.guess_loss:.3g}",
        "steps too large, or batches too small",
        "a lower learning rate, or larger batches",
    )
