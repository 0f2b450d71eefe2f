"""Gradients by the outputs of each block of layers, and by its weights."""

import copy
import warnings
from dataclasses import dataclass

import numpy as np

from minibn.autograd import Tensor
from minibn.nn import Dense, SoftmaxCrossEntropy


@dataclass(frozen=True)
class BlockGradient:
    """One dense layer with what follows it up to the next.

    Attributes
    ----------
    layer : str
        Of the dense layer.
    output : float
        Norm of the gradient of the mean loss by the outputs of the block, over all rows.
    weight : float
        Norm of the gradient by the dense weights.
    """

    layer: str
    output: float
    weight: float


def measure_gradients(model, x, y):
    """Return the gradients of every block, from the input on, in training mode and without touching the model.

    Each block is played on a tape of its own and the gradient handed from one to the block before, so that the
    gradients between them can be read.
    """
    model, played = copy.deepcopy(model), []
    model.zero_grad()
    out = Tensor(x.astype(model.dtype, copy=False))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for position, layers in _blocks(model):
            start = out = Tensor(out.data, requires_grad=True)
            for layer in layers:
                out = layer(out, training=True)
            played.append((position, start, out))
        logits = Tensor(out.data, requires_grad=True)
        SoftmaxCrossEntropy()(logits, y).backward()
        return list(_walk_back(model, played, logits.grad))[::-1]


def _walk_back(model, played, gradient):
    for position, start, out in reversed(played):
        norm = _norm(gradient)
        out.backward(gradient)
        gradient = start.grad
        yield BlockGradient(f"{position}.Dense", norm, _norm(model.layers[position].weight.grad))


def _norm(gradient):
    return float(np.linalg.norm(gradient.astype(np.float64)))


def _blocks(model):
    """Yield the position of each dense layer, and the layers up to the next; those before the first go with it."""
    dense = [i for i, layer in enumerate(model.layers) if isinstance(layer, Dense)]
    for position, start, end in zip(dense, [0, *dense[1:]], [*dense[1:], len(model.layers)], strict=True):
        yield position, model.layers[start:end]
