"""Gradients, units, and the build of the network."""

import math

import numpy as np

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.registry import Fault, Note, rule
from minibn.nn import BatchNorm, Dense


def _ratio(f):
    """Return the gradient by the first hidden output over that by the logits; None without a hidden layer."""
    first, last = f.gradients[0].output, f.gradients[-1].output
    return None if len(f.gradients) < 2 or not last > 0 else first / last


def _profile(f):
    blocks = f.gradients
    shown = [blocks[i] for i in sorted({round(i * (len(blocks) - 1) / 4) for i in range(5)})]
    return ", ".join(f"{block.layer} {block.output:.1e}" for block in shown)


@rule("vanishing gradients", "any labels", "two rows", "finite weights")
def vanishing(f):
    """Compare the gradient by the first hidden output with that by the logits."""
    ratio = _ratio(f)
    if ratio is None or not ratio < limit.VANISHING:
        return None
    return Fault(
        f"the gradient is {ratio:.1e} times as large behind the first layer as at the logits ({_profile(f)})",
        "every layer shrinks the gradient on its way back: saturated activations or small weights, layer upon layer",
        "--bn, --activation relu, fewer layers, or larger initial weights",
    )


@rule("exploding gradients", "any labels", "two rows", "finite weights")
def exploding(f):
    """Read the same ratio the other way, and find gradients that are not finite."""
    ratio = _ratio(f)
    finite = all(math.isfinite(block.output) and math.isfinite(block.weight) for block in f.gradients)
    if finite and (ratio is None or ratio <= limit.EXPLODING):
        return None
    size = f"{ratio:.1e} times as large behind the first layer as at the logits" if finite else "not finite"
    return Fault(
        f"the gradient is {size} ({_profile(f)})",
        "every layer enlarges the gradient on its way back: large weights, layer upon layer",
        "--bn, --init-scale 1, fewer layers, or a lower learning rate",
    )


@rule("dead units", "any rows", "finite weights", "predictions")
def dead_units(f):
    """Count ReLU units that are 0 on every row."""
    worst = max((a for a in f.activity if a.dead is not None), key=lambda a: a.dead, default=None)
    if worst is None or worst.dead < limit.SOME_DEAD:
        return None
    kind = Fault if worst.dead >= limit.DEAD else Note
    return kind(
        f"{worst.dead:.0%} of the {worst.units} units of {worst.layer} are 0 on every row of the {f.where}",
        "a step that was too large, or inputs far from 0, pushed these units below 0 for good: no gradient reaches them",
        "lower the learning rate, scale the inputs, or train with --bn",
    )


@rule("saturated units", "any rows", "finite weights", "predictions")
def saturated_units(f):
    """Count activations of a sigmoid or tanh where the slope is below a tenth of its largest."""
    worst = max((a for a in f.activity if a.saturated is not None), key=lambda a: a.saturated, default=None)
    if worst is None or worst.saturated < limit.SATURATED:
        return None
    return Fault(
        f"{worst.saturated:.0%} of the activations of {worst.layer} are saturated",
        "the inputs of these units are so large that their slope, and with it the gradient, is nearly 0",
        "smaller initial weights, scaled inputs, or --bn",
    )


@rule("batch norm on the logits")
def norm_on_logits(f):
    """Find a batch norm behind the last dense layer."""
    last = max(i for i, layer in enumerate(f.model.layers) if isinstance(layer, Dense))
    found = [
        f"{i}.BatchNorm"
        for i, layer in enumerate(f.model.layers)
        if i > last and isinstance(layer, BatchNorm)
    ]
    if not found:
        return None
    return Fault(
        f"{', '.join(found)} stands behind the last dense layer",
        "normalised logits cannot say how frequent a class is but through beta, nor be surer than gamma allows, and "
        "depend on the batch",
        "end the network with a dense layer: batch norm belongs between a hidden layer and its activation",
    )


@rule("bias before a batch norm")
def bias_before_norm(f):
    """Find dense layers with a bias right before a batch norm."""
    layers = f.model.layers
    found = [
        f"{i}.Dense"
        for i, (layer, behind) in enumerate(zip(layers, layers[1:], strict=False))
        if isinstance(layer, Dense) and layer.bias is not None and isinstance(behind, BatchNorm)
    ]
    if not found:
        return None
    return Note(
        f"{', '.join(found)} has a bias and a batch norm right behind it",
        "the batch mean cancels the bias; beta does its work",
        "Dense(..., bias=False)",
    )


@rule("gamma near zero", "batch norm", "finite weights")
def gamma_near_zero(f):
    """Count units that a batch norm has all but switched off; a fault where it is half of a layer."""
    shares = [(name, float((np.abs(layer.gamma.data) < limit.GAMMA).mean())) for name, layer in f.case.norms]
    name, share = max(shares, key=lambda item: item[1])
    if share == 0:
        return None
    kind = Fault if share >= 0.5 else Note
    return kind(
        f"gamma is below {limit.GAMMA:g} in {share:.0%} of the units of {name}",
        "these units contribute next to nothing",
        "use fewer units, or less weight decay on gamma"
        if kind is Note
        else "lower the learning rate; do not decay gamma",
    )
