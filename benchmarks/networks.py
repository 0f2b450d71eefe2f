"""The networks that are trained, and their data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from benchmarks import images
from minibn.data import example
from minibn.nn import mlp


@dataclass(frozen=True, slots=True)
class Network:
    """A network, its data and how it is trained: by plain SGD, in batches of one size.

    Attributes
    ----------
    name : str
    sizes : tuple of int
    activation : str
    batch : int
        Rows of a batch; the last one holds what is left.
    data : callable
        ``data(rows)`` returns x of float32 and y of int64.
    rows : int
    bn : bool
    learning_rate : float
    """

    name: str
    sizes: tuple
    activation: str
    batch: int
    data: Callable
    rows: int
    bn: bool = True
    learning_rate: float = 0.05

    @property
    def steps(self):
        """Batches of an epoch."""
        return -(-self.rows // self.batch)

    @property
    def weights(self):
        """Weights of the dense layers."""
        return sum(a * b for a, b in pairwise(self.sizes))

    def model(self):
        """Return minibn's model with its initial weights."""
        return mlp(self.sizes, bn=self.bn, activation=self.activation, rng=0)

    def plain(self):
        """Return the same network without batch norm."""
        return replace(self, bn=False)


def _headline(rows):
    data = example(seed=0)
    return np.ascontiguousarray(data.x[:rows], np.float32), data.y[:rows]


def _images(rows):
    return images.images(rows)[:2]


def _normal(features):
    def data(rows):
        rng = np.random.default_rng(0)
        return rng.standard_normal((rows, features), np.float32), rng.integers(10, size=rows)

    return data


HEADLINE = Network("headline", (20, 10, 3), "relu", 32, _headline, 1000)
MNIST = Network("mnist", (784, 100, 100, 100, 10), "sigmoid", 60, _images, 12000)
SCATTERED = replace(MNIST, name="mnist, scattered pixels", data=images.scattered)
WIDE = Network("mnist-wide", (784, 1024, 1024, 10), "relu", 256, _images, 5120)


def deep(depth):
    """Return a network with some hidden layers of 64 units."""
    return Network(f"depth {depth}", (64, *[64] * depth, 10), "relu", 32, _normal(64), 1024)


def long(rows):
    """Return the headline's network on some rows."""
    return replace(HEADLINE, name=f"{rows} rows", sizes=(20, 10, 10), data=_normal(20), rows=rows)


def quicker(network):
    """Return a large network on a quarter of its rows; a small one as it is."""
    return network if network.rows <= 1000 else replace(network, rows=network.rows // 4)
