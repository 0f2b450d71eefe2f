"""Training in scikit-learn: MLPClassifier, which has no batch norm; ``partial_fit`` makes one pass in batches.

The rows are put in order beforehand, all at once, which is cheaper than what its own shuffling does per batch.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

PLAIN = True
_NAMES = {"relu": "relu", "sigmoid": "logistic"}


def build(network, layers, x, y):
    model = MLPClassifier(
        network.sizes[1:-1], activation=_NAMES[network.activation], solver="sgd", alpha=0, momentum=0,
        batch_size=network.batch, learning_rate_init=network.learning_rate, shuffle=False,
    )  # fmt: skip
    model.partial_fit(x, y, classes=np.unique(y))
    dense = [arrays for kind, arrays in layers if kind == "Dense"]
    for weight, bias, arrays in zip(model.coefs_, model.intercepts_, dense, strict=True):
        weight[...], bias[...] = arrays["weight"], arrays["bias"]

    def epoch(order):
        model.partial_fit(x[order], y[order])
        return model.loss_

    return epoch
