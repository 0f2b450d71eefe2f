"""How much memory a run needs at least, so that an impossible one is refused before it starts."""

import os
from itertools import pairwise

from minibn.errors import ArgumentError
from minibn.nn.sequential import EVALUATION_BLOCK

LAYER_BYTES = 20_000  # objects of one hidden layer, on the tape too; measured with 20000 layers of 10 units


def training_bytes(sizes, rows, slots=0, itemsize=4):
    """Estimate the memory that training a network needs at least.

    Parameters
    ----------
    sizes : sequence of int
        Features, hidden units of each layer, outputs.
    rows : int
        Rows of the larger part that is evaluated after an epoch.
    slots : int
        Arrays that the optimizer keeps for every parameter: 1 for a momentum, 2 for Adam.
    itemsize : int
        Bytes of one number.

    Returns
    -------
    int
        Bytes of weights, gradients, optimizer state, one block of activations, and the layers themselves.
    """
    parameters = sum(i * o for i, o in pairwise(sizes)) + 2 * sum(sizes[1:])
    activations = 2 * min(rows, EVALUATION_BLOCK) * max(sizes)
    return itemsize * ((2 + slots) * parameters + activations) + LAYER_BYTES * (len(sizes) - 2)


def machine_bytes():
    """Return the memory of this machine in bytes, None where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(sizes, rows, slots):
    """Refuse a network that this machine cannot hold; arguments as :func:`training_bytes`.

    Raises
    ------
    ArgumentError
    """
    needed, there = training_bytes(sizes, rows, slots), machine_bytes()
    if there and needed > there:
        raise ArgumentError(
            f"hidden: training this network takes at least {needed / 1e9:.3g} GB for weights, gradients, optimizer "
            f"state and activations, and this machine has {there / 1e9:.3g} GB; use fewer or smaller layers"
        )
