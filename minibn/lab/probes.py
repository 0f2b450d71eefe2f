"""Looks at the loss around a network: along its gradient, and from layer to layer."""

import copy
from dataclasses import dataclass

import numpy as np

from minibn.nn import Dense, SoftmaxCrossEntropy

FACTORS = (0.5, 1.0, 2.0, 3.0, 4.0)
_LOSS = SoftmaxCrossEntropy()


@dataclass(frozen=True)
class Walk:
    """What a walk along the gradient finds.

    Attributes
    ----------
    loss : float
        Where it begins.
    loss_range : float
        Largest loss minus smallest, over the walk.
    gradient_distance : float
        Largest distance of a gradient on the walk from that at its beginning: gradient predictiveness.
    smoothness : float
        Largest such distance over the length walked: effective beta-smoothness.
    """

    loss: float
    loss_range: float
    gradient_distance: float
    smoothness: float


@dataclass(frozen=True)
class CovariateShift:
    """How the gradient of a layer changes by the update of the layers before it, mean over layers.

    Attributes
    ----------
    distance : float
        Norm of the change over the norm of the gradient.
    cosine : float
        Of the angle between the gradients before and after.
    """

    distance: float
    cosine: float


def walk(model, x, y, rate, factors=FACTORS):
    """Walk from the weights against the gradient of one batch, by multiples of a learning rate.

    Parameters
    ----------
    model : minibn.nn.Sequential
        Left as it is; played in training mode.
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)
    rate : float
    factors : sequence of float

    Returns
    -------
    Walk
        Not finite where the loss on the way is not.

    Notes
    -----
    Santurkar et al. 2018, arXiv:1805.11604, section 3.1; all parameters, gamma and beta included.
    """
    model = copy.deepcopy(model)
    loss, gradient = _gradient(model, x, y)
    start = {name: tensor.data.copy() for name, tensor in model.parameters().items()}
    losses, distances, lengths = [], [], rate * np.array(factors) * np.linalg.norm(gradient)
    for factor in factors:
        _move(model, start, gradient, factor * rate)
        found, there = _gradient(model, x, y)
        losses.append(found)
        with np.errstate(all="ignore"):
            distances.append(np.linalg.norm(there - gradient))
    with np.errstate(all="ignore"):
        steepest, spread = np.max(np.array(distances) / lengths), np.ptp(losses)
    return Walk(loss, float(spread), float(np.max(distances)), float(steepest))


def covariate_shift(model, x, y, rate, layers=5):
    """Compare the gradient of a layer's weights before and after a step of the layers before it, on one batch.

    Parameters
    ----------
    model, x, y, rate
        As of :func:`walk`.
    layers : int
        Dense layers looked at, evenly over the depth, the first left out: nothing stands before it.

    Returns
    -------
    CovariateShift

    Notes
    -----
    Santurkar et al. 2018, arXiv:1805.11604, definition 2.1.
    """
    model = copy.deepcopy(model)
    _, gradient = _gradient(model, x, y)
    start = {name: tensor.data.copy() for name, tensor in model.parameters().items()}
    before = {name: tensor.grad.astype(np.float64) for name, tensor in model.parameters().items()}
    dense = [i for i, layer in enumerate(model.layers) if isinstance(layer, Dense)][1:]
    chosen = sorted({dense[round(k)] for k in np.linspace(0, len(dense) - 1, min(layers, len(dense)))})
    distances, cosines = [], []
    for position in chosen:
        _move(model, start, gradient, rate, below=position)
        _gradient(model, x, y)
        old, new = before[f"{position}.weight"], model.layers[position].weight.grad.astype(np.float64)
        norms = np.linalg.norm(old), np.linalg.norm(new)
        with np.errstate(all="ignore"):
            distances.append(np.linalg.norm(new - old) / norms[0])
            cosines.append(np.sum(old * new) / (norms[0] * norms[1]))
    return CovariateShift(float(np.mean(distances)), float(np.mean(cosines)))


def _gradient(model, x, y):
    """Return the loss of a batch in training mode and the gradient of all parameters as one vector of float64."""
    model.zero_grad()
    with np.errstate(all="ignore"):
        loss = _LOSS(model(x, training=True), y)
        loss.backward()
    return loss.item(), np.concatenate(
        [tensor.grad.ravel().astype(np.float64) for tensor in model.parameters().values()]
    )


def _move(model, start, gradient, length, below=None):
    """Set the parameters to ``start - length * gradient``, those of layers from ``below`` on to ``start``."""
    offset = 0
    for name, tensor in model.parameters().items():
        size = tensor.data.size
        moved = below is None or int(name.split(".")[0]) < below
        step = length * gradient[offset : offset + size].reshape(tensor.shape) if moved else 0.0
        with np.errstate(all="ignore"):
            tensor.data[...] = start[name] - step
        offset += size
