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
        What that mean divides by: rows, or the sum of their class weights.
    correct : int or None
        Rows classified right before the update.
    """

    loss: float
    weight: float
    correct: int | None

    @property
    def finite(self):
        """Whether the loss was finite; if not, nothing was updated."""
        return math.isfinite(self.loss)


def step(model, loss, optimizer, x, y):
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

    Returns
    -------
    StepResult
    """
    model.zero_grad()
    output = model(x, training=True)
    value = loss(output, y)
    result = StepResult(value.item(), loss.weight(y), loss.correct(output.data, y))
    if result.finite:
        value.backward()
        optimizer.update(model)
    return result


def first_non_finite(model, x):
    """Return the name of the first layer with a non-finite output on a batch, or ``"loss"``.

    The batch is replayed in training mode on a copy, so that running statistics stay as they are.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, output in copy.deepcopy(model).trace(x, training=True):
            if not np.isfinite(output).all():
                return name
    return "loss"


def rehearse(model, loss, optimizer, x, y):
    """Play one step and one evaluation on copies, so that compilation never enters an epoch's time."""
    model, optimizer = copy.deepcopy(model), copy.deepcopy(optimizer)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step(model, loss, optimizer, x, y)
        model.logits(x)
