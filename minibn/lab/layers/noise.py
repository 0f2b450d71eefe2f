"""Noise on activations, to undo what batch norm does for their distribution; it lives on the tape only."""

import numpy as np

from minibn.autograd import Tensor
from minibn.nn import BatchNorm, Dense, Layer, Sequential


class ShiftNoise(Layer):
    """y = s * x + m with s and m drawn anew for every entry, around a scale and a shift drawn anew for every batch.

    The distribution of every activation then jumps from step to step, more than in a network without batch norm.
    Evaluation leaves x as it is. Train with ``engine="eager"``.

    Parameters
    ----------
    rng : numpy.random.Generator or int
    shift, scale : float
        The batch's shift is uniform in +-shift, its scale uniform in [1, scale].
    shift_spread, scale_spread : float
        An entry's shift is uniform within +-shift_spread of the batch's; its scale is normal around the batch's with this
        standard deviation.

    Notes
    -----
    Santurkar et al. 2018, arXiv:1805.11604, appendix on "noisy" batch norm, with its constants.
    """  # fmt: skip

    def __init__(self, rng, shift=0.5, scale=1.25, shift_spread=0.1, scale_spread=0.1):
        self.rng = np.random.default_rng(rng)
        self.shift, self.scale = shift, scale
        self.shift_spread, self.scale_spread = shift_spread, scale_spread

    def __call__(self, x, training=None):
        """Return the noisy batch, of the shape of x."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        if not (self.training if training is None else training):
            return x
        middle, typical = self.rng.uniform(-self.shift, self.shift), self.rng.uniform(1.0, self.scale)
        within = 2.0 * self.rng.random(x.shape, x.dtype) - 1.0
        scales = typical + self.scale_spread * self.rng.standard_normal(x.shape, x.dtype)
        return x * scales + (middle + self.shift_spread * within)

    def config(self):
        """Return the ranges."""
        return {
            "shift": self.shift, "scale": self.scale, "shift_spread": self.shift_spread, "scale_spread": self.scale_spread
        }  # fmt: skip


def with_noise(model, seed):
    """Return the network with noise before each activation: after each batch norm, or each hidden dense without one.

    Parameters
    ----------
    model : Sequential
        Its layers are shared.
    seed : int
        Of the noise; every layer has a stream of its own.

    Returns
    -------
    Sequential
    """
    after = BatchNorm if any(isinstance(layer, BatchNorm) for layer in model.layers) else Dense
    layers = []
    for position, layer in enumerate(model.layers):
        layers.append(layer)
        if isinstance(layer, after) and position < len(model.layers) - 1:
            layers.append(ShiftNoise(np.random.default_rng([seed, position])))
    return Sequential(*layers)
