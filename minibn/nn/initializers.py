"""Initial weights of dense layers."""

import math

import numpy as np

from minibn.errors import ArgumentError


def he(rng, shape, scale=1.0):
    """Draw He-uniform weights, for ReLU.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (in, out).
    scale : float
        Factor on the weights.

    Returns
    -------
    ndarray of float64, shape (in, out)
        Uniform in +-scale * sqrt(6 / in), variance 2 / in at scale 1.

    Notes
    -----
    He et al. 2015, arXiv:1502.01852, equation 10.
    """
    limit = scale * math.sqrt(6.0 / shape[0])
    return rng.uniform(-1.0, 1.0, shape) * limit


def glorot(rng, shape, scale=1.0):
    """Draw Glorot-uniform weights, for sigmoid and tanh: uniform in +-scale * sqrt(6 / (in + out)).

    Arguments and result as :func:`he`.

    Notes
    -----
    Glorot and Bengio 2010, equation 16.
    """
    limit = scale * math.sqrt(6.0 / sum(shape))
    return rng.uniform(-1.0, 1.0, shape) * limit


def normal(rng, shape, scale=0.01):
    """Draw normal weights of standard deviation ``scale``; arguments and result as :func:`he`."""
    return rng.standard_normal(shape) * scale


INITIALIZERS = {"he": he, "glorot": glorot, "normal": normal}


def initializer(name):
    """Return an initializer by name, or the callable itself.

    Raises
    ------
    ArgumentError
    """
    if callable(name):
        return name
    if name not in INITIALIZERS:
        raise ArgumentError(
            f"init must be one of {', '.join(INITIALIZERS)}, got {name!r}; or pass a function (rng, shape, scale)"
        )
    return INITIALIZERS[name]


def generator(rng):
    """Return a numpy Generator from a Generator, a seed or None (seed 0).

    Raises
    ------
    ArgumentError
    """
    if isinstance(rng, np.random.Generator):
        return rng
    try:
        return np.random.default_rng(0 if rng is None else rng)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"rng must be a numpy Generator or a seed of at least 0, got {rng!r}; pass e.g. 0"
        ) from error
