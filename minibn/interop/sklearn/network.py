"""The network of an estimator, with the initial weights that scikit-learn would draw."""

from itertools import pairwise

import numpy as np

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid", "identity": None}
"""scikit-learn's names of the activations, and minibn's."""


def build(sizes, activation, batch_norm, bn_momentum, rng, dtype):
    """Build dense layers with an activation, and batch norm where wanted, between them.

    Weights and biases are drawn in scikit-learn's order, so that one ``random_state`` gives the same initial
    network there and here, and the same weights with and without batch norm.

    Parameters
    ----------
    sizes : sequence of int
        Features, hidden units of each layer, outputs.
    activation : str
        scikit-learn's name.
    batch_norm : bool
        Batch norm before each activation; that dense layer then has no bias, which the batch mean would cancel.
    bn_momentum : float
        Weight of the new value in the running statistics.
    rng : numpy.random.RandomState
    dtype : dtype
        float32 or float64.

    Returns
    -------
    minibn.nn.Sequential
    """
    from minibn.nn import BatchNorm, Sequential
    from minibn.nn.activations import ACTIVATIONS as LAYERS

    layers = []
    for position, (inputs, outputs) in enumerate(pairwise(sizes)):
        hidden = position < len(sizes) - 2
        normalized = hidden and batch_norm
        layers.append(_dense(inputs, outputs, not normalized, activation, rng, dtype))
        if normalized:
            layers.append(BatchNorm(outputs, bn_momentum, dtype=dtype))
        if hidden and ACTIVATIONS[activation]:
            layers.append(LAYERS[ACTIVATIONS[activation]]())
    return Sequential(*layers)


def _dense(inputs, outputs, bias, activation, rng, dtype):
    """Return a dense layer; weights and biases are uniform in +-sqrt(6 / (in + out)), 2 for the logistic function."""
    from minibn.nn import Dense

    limit = np.sqrt((2.0 if activation == "logistic" else 6.0) / (inputs + outputs))
    weight, offset = rng.uniform(-limit, limit, (inputs, outputs)), rng.uniform(-limit, limit, outputs)
    layer = Dense(inputs, outputs, bias, init=lambda *_: weight, dtype=dtype)
    if bias:
        layer.bias.data[...] = offset
    return layer


def coefs(model):
    """Return the weight of every dense layer, each of shape (in, out)."""
    return [layer.weight.data for layer in _dense_layers(model)]


def intercepts(model):
    """Return the bias of every dense layer, shape (out,); zeros where a batch norm follows and shifts instead."""
    return [
        np.zeros(layer.weight.shape[1], model.dtype) if layer.bias is None else layer.bias.data
        for layer in _dense_layers(model)
    ]


def _dense_layers(model):
    from minibn.nn import Dense

    return [layer for layer in model.layers if isinstance(layer, Dense)]
