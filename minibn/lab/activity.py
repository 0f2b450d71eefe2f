"""What the units of a network do on some rows: their inputs, their saturation, their gradients."""

import copy

import numpy as np

from minibn.nn import Dense, Sigmoid, SoftmaxCrossEntropy, Tanh

PERCENTILES = (15, 50, 85)
SATURATED = 0.05  # share of the largest derivative under which a unit passes on next to nothing


def last_sigmoid_input(model, x):
    """Return what goes into the last hidden activation, in evaluation mode: ndarray, shape (N, units)."""
    return model.trace(x, training=False)[-3][1]


def percentiles(inputs):
    """Return the 15th, 50th and 85th percentile of each unit: ndarray of float64, shape (3, units)."""
    return np.percentile(np.asarray(inputs, np.float64), PERCENTILES, axis=0)


def saturated_share(model, x):
    """Return the share of unit and row pairs whose derivative is below 5 % of the activation's largest.

    Parameters
    ----------
    model : Sequential
        With sigmoid or tanh units. Neither weights nor running statistics move.
    x : ndarray, shape (N, C)

    Returns
    -------
    float
        Over all hidden layers, normalised as in training: by the statistics of these rows.
    """
    outputs = [
        saturated(type(layer), output)
        for layer, (_, output) in zip(model.layers, copy.deepcopy(model).trace(x, training=True), strict=True)
        if isinstance(layer, Sigmoid | Tanh)
    ]
    return float(np.mean(outputs))


def saturated(kind, output):
    """Say of each output of a Sigmoid or Tanh whether the derivative there is below 5 % of the largest."""
    y = np.asarray(output, np.float64)
    return (4 * y * (1 - y) if kind is Sigmoid else 1 - y * y) < SATURATED


def gradient_sizes(model, x, y):
    """Return the root mean square of the loss's gradient by the weights of each dense layer.

    The pass is one of training, on a copy: neither weights nor running statistics move.

    Returns
    -------
    ndarray of float64, shape (dense layers,)
    """
    model = copy.deepcopy(model)
    model.zero_grad()
    SoftmaxCrossEntropy()(model(x, training=True), y).backward()
    weights = [layer.weight for layer in model.layers if isinstance(layer, Dense)]
    return np.array([np.sqrt(np.mean(np.square(w.grad, dtype=np.float64))) for w in weights])


def first_to_last(sizes):
    """Return the gradient of the first hidden layer over that of the last one; the output layer is left out."""
    tiny = np.finfo(np.float64).tiny
    return float(max(sizes[0], tiny) / max(sizes[-2], tiny))
