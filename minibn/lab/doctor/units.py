"""Units that no row switches on, and activations where the slope is gone."""

from dataclasses import dataclass

import numpy as np

from minibn.nn import ReLU, Sigmoid, Tanh

# Outputs beyond which the slope is below a tenth of its largest: s (1 - s) < 0.025 and 1 - t^2 < 0.1.
_FLAT = {Sigmoid: lambda y: np.abs(y - 0.5) > 0.4743, Tanh: lambda y: np.abs(y) > 0.9487}


@dataclass(frozen=True)
class Activity:
    """One activation layer.

    Attributes
    ----------
    layer : str
    units : int
    dead : float or None
        Share of units that are 0 on every row, of a ReLU.
    saturated : float or None
        Share of activations where the slope is below a tenth of its largest, of a sigmoid or tanh.
    """

    layer: str
    units: int
    dead: float | None
    saturated: float | None


def measure_units(model, x):
    """Return the activity of every activation layer on some rows, in evaluation mode."""
    found = []
    with np.errstate(all="ignore"):
        outputs = model.trace(x)
    for layer, (name, y) in zip(model.layers, outputs, strict=True):
        if isinstance(layer, ReLU):
            found.append(Activity(name, y.shape[1], float((y == 0).all(axis=0).mean()), None))
        elif type(layer) in _FLAT:
            found.append(Activity(name, y.shape[1], None, float(_FLAT[type(layer)](y).mean())))
    return found
