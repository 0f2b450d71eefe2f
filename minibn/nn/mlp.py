"""Multilayer perceptrons with and without batch norm."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from minibn.errors import ArgumentError, DtypeError
from minibn.nn.activations import ACTIVATIONS
from minibn.nn.batch_norm import BatchNorm
from minibn.nn.dense import Dense
from minibn.nn.initializers import generator
from minibn.nn.sequential import Sequential


def mlp(
    sizes,
    *,
    bn=True,
    activation="relu",
    rng=None,
    init=None,
    init_scale=None,
    bn_momentum=0.1,
    bn_eps=1e-5,
    dtype=np.float32,
):
    """Build dense layers with an activation between them, and batch norm before each activation.

    With and without batch norm the same ``rng`` gives the same initial weights: only the weights are drawn.

    Parameters
    ----------
    sizes : sequence of int
        Features, hidden units of each layer, outputs: at least two numbers.
    bn : bool
        Batch norm between each hidden dense layer and its activation; that dense layer then has no bias,
        which the batch mean would cancel.
    activation : str
        ``"relu"``, ``"sigmoid"`` or ``"tanh"``.
    rng : numpy.random.Generator or int, optional
        Source of the initial weights; seed 0 where None.
    init : str or callable, optional
        Initializer; ``"he"`` for ReLU and ``"glorot"`` otherwise where None.
    init_scale : float, optional
        Scale given to the initializer.
    bn_momentum, bn_eps : float
        See :class:`BatchNorm`.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Sequential

    Raises
    ------
    ArgumentError, DtypeError

    Examples
    --------
    >>> from minibn.nn import mlp
    >>> model = mlp([20, 10, 3], bn=True, rng=0)
    >>> model.summary()
       layer                                                                                 output   parameters  batch-norm state
    0  Dense(in_features=20, out_features=10, bias=False)                                    (N, 10)         200                 0
    1  BatchNorm(features=10, momentum=0.1, eps=1e-05, affine=True, running_var='unbiased')  (N, 10)          20                21
    2  ReLU()                                                                                (N, 10)           0                 0
    3  Dense(in_features=10, out_features=3, bias=True)                                      (N, 3)           33                 0
       total                                                                                                 253                21
    """
    sizes, rng = list(sizes) if isinstance(sizes, Iterable) else [sizes], generator(rng)
    if len(sizes) < 2:
        raise ArgumentError(f"sizes must hold at least features and outputs, got {sizes}; e.g. [20, 10, 3]")
    if not isinstance(bn, (bool, np.bool_)):
        raise DtypeError(f"bn must be True or False, got {bn!r}; pass a bool")
    if activation not in ACTIVATIONS:
        raise ArgumentError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    init = init or ("he" if activation == "relu" else "glorot")
    options = {"init": init, "init_scale": init_scale, "rng": rng, "dtype": dtype}
    layers = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers.append(Dense(inputs, outputs, bias=not bn, **options))
        if bn:
            layers.append(BatchNorm(outputs, bn_momentum, bn_eps, dtype=dtype))
        layers.append(ACTIVATIONS[activation]())
    return Sequential(*layers, Dense(sizes[-2], sizes[-1], **options))
