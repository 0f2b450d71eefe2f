"""One training step: forward, loss, backward, update."""

import copy
import math
import warnings
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step reports.

    Attributes
    ----------
    loss : float
        Mean loss of the batch, before the update.
    weight : float
        What that mean divides by: rows, or the sum of their weights.
    correct : int, float or None
        Rows classified right before the update, or the sum of their sample weights.
    """

    loss: float
    weight: float
    correct: float | None

    @property
    def finite(self):
        """Whether the loss was finite; if not, nothing was updated."""
        return math.isfinite(self.loss)


def step(model, loss, optimizer, x, y, sample_weight=None):
    """Train on one batch.

    Parameters
    ----------
    model : minibn.nn.Sequential
        Changed: parameters and running statistics. Not updated when the loss is not finite.
    loss : minibn.nn.SoftmaxCrossEntropy or minibn.nn.SquaredError
    optimizer : Optimizer
    x : ndarray, shape (N, C)
    y : ndarray, shape (N,) or that of the output
        Class indices, or targets.
    sample_weight : ndarray of numbers, shape (N,), optional
        How often each row counts, in the loss and in the statistics of every batch norm.

    Returns
    -------
    StepResult
    """
    model.zero_grad()
    weighted = given(sample_weight)
    output = model(x, training=True, **weighted)
    value = loss(output, y, **weighted)
    result = StepResult(value.item(), loss.weight(y, **weighted), loss.correct(output.data, y, **weighted))
    if result.finite:
        value.backward()
        optimizer.update(model)
    return result


def given(sample_weight):
    """Return the keyword of a call with weights; none without, for losses and layers that know of no weights."""
    return {} if sample_weight is None else {"sample_weight": sample_weight}


def first_non_finite(model, x, sample_weight=None):
    """Return the name of the first layer with a non-finite output on a batch, or ``"loss"``.

    The batch is replayed in training mode on a copy, so that running statistics stay as they are.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, output in copy.deepcopy(model).trace(x, True, sample_weight):
            if not np.isfinite(output).all():
                return name
    return "loss"


def rehearse(model, loss, optimizer, x, y, sample_weight=None):
    """Play one step and one evaluation on copies, so that compilation never enters an epoch's time."""
    model, optimizer = copy.deepcopy(model), copy.deepcopy(optimizer)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step(model, loss, optimizer, x, y, sample_weight)
        model.logits(x)
