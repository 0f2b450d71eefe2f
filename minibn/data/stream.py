"""Seeded random streams: one number for each use, so that no two uses of one seed share their draws."""

from operator import index

import numpy as np

from minibn.errors import ArgumentError

EXAMPLE = 0x6578616D
SPLIT = 0x73706C74
INIT = 0x696E6974
ORDER = 0x6F726465
DOCTOR = 0x646F6374


def generator(seed, stream, *more):
    """Return the random generator of one stream of a seed.

    Parameters
    ----------
    seed : int
        Not negative.
    stream : int
        One of the constants of this module.
    *more : int
        Further numbers that set this use apart, such as the epoch.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    ArgumentError
        When the seed is not an integer, or negative.
    """
    return np.random.default_rng([checked_seed(seed), stream, *more])


def checked_seed(seed):
    """Return the seed as an int, or raise ArgumentError."""
    try:
        number = index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise ArgumentError(f"seed: expected an integer of at least 0, got {seed!r}")
    return number
