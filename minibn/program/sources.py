"""Data that a program reads where they lie."""

from itertools import accumulate, chain, count
from typing import Any, NamedTuple

import numpy as np

from minibn.kernels.cpu.calls import addresses
from minibn.kernels.cpu.views import describe_array
from minibn.program.operations import gather_address

_KEPT = 2  # training data and a validation part of its own


class Source(NamedTuple):
    """One matrix of features.

    Attributes
    ----------
    x : ndarray, shape (N, C)
    shape : tuple of int
        That of x when it was described: an array may be given another.
    described : Any
        What the program makes of x to read it.
    """

    x: np.ndarray
    shape: tuple
    described: Any


class Sources:
    """Checks and describes data, and remembers those that it described last.

    Parameters
    ----------
    inputs : Inputs
    describe : callable
        Called as ``describe(x)`` with a checked matrix.
    """

    def __init__(self, inputs, describe):
        self._inputs, self._describe, self._kept = inputs, describe, ()

    def find(self, x):
        """Return the source of some features, which are checked unless they are known."""
        for known in self._kept:
            if x is known.x and x.shape == known.shape:
                return known
        x = self._inputs.features(x)
        found = Source(x, x.shape, self._describe(x))
        self._kept = found, *self._kept[: _KEPT - 1]
        return found

    def join(self, parts):
        """Lay the data of some parts one behind the other, those that they share once.

        Parameters
        ----------
        parts : sequence of Part

        Returns
        -------
        sources : list of Source
        places : list of (int, int, int)
            For each part the source of its rows, how many that has, and where their targets begin.
        targets : tuple of ndarray
            Labels, targets and weights of all sources.
        """
        first = parts[0]
        shared = all(p.x is first.x and p.y is first.y and p.weight is first.weight for p in parts)
        apart = parts[:1] if shared else parts
        sources = [self.find(part.x) for part in apart]
        targets = [self._inputs.targets(p.y, len(s.x), p.weight) for p, s in zip(apart, sources, strict=True)]
        if shared:
            return sources, [(0, len(sources[0].x), 0)] * len(parts), targets[0]
        sizes = [len(source.x) for source in sources]
        places = list(zip(count(), sizes, accumulate(sizes, initial=0), strict=False))
        return sources, places, tuple(map(np.concatenate, zip(*targets, strict=True)))


def readable(x, dtype):
    """Return what the executor needs to know of a matrix, and the address of the kernel that gathers its rows.

    Both are tables of one entry; that of the address is for an arena of a dtype.
    """
    reader = addresses(1)
    reader[0] = gather_address(x, dtype)
    return describe_array(x), reader


def tables(sources):
    """Return the two tables of all of some readable sources."""
    if len(sources) == 1:
        return sources[0].described
    described = [source.described for source in sources]
    join = np.concatenate if isinstance(described[0][0], np.ndarray) else _chained
    return tuple(map(join, zip(*described, strict=True)))


def _chained(lists):
    """Return lists as one: without the compiler, tables are lists of what else they point to."""
    return list(chain.from_iterable(lists))
