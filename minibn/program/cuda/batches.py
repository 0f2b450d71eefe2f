"""What a play is given to read."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Batches:
    """Data on the device and how they are cut into batches.

    Attributes
    ----------
    x : device array of float32, shape (N * features,)
    features : int
    labels : device array of int32
        Class indices; one entry for a regression.
    labelled : bool
        Whether there are labels.
    targets : device array of float32
        Targets of a regression.
    target_at : int
        Where those of a batch go in the program's memory, -1 for none.
    weights : device array of float32
        Weights of the rows, for a program that takes them.
    weight_at : int
        Where those of a batch go, -1 for none.
    order : device array of int32
        Rows in the order of play.
    rows : int
        How many of them are played.
    epoch : int
        Rows of each of the epochs that stand one behind the other.
    size : int
        Rows of a batch.
    joins : bool
        Whether a last batch of a single row joins the one before it.
    rates : device array of float32
        Learning rate of every step.
    rated : bool
        Whether these hold, and not the one that the program keeps.
    steps : int
        Number of batches, at least 1.
    """

    x: Any
    features: int
    labels: Any
    labelled: bool
    targets: Any
    target_at: int
    weights: Any
    weight_at: int
    order: Any
    rows: int
    epoch: int
    size: int
    joins: bool
    rates: Any
    rated: bool
    steps: int

    def same_arrays(self, other):
        """Say whether launches made for these batches fit others: the same memory, cut the same way."""
        mine, theirs = vars(self), vars(other)
        arrays = ("x", "labels", "targets", "weights", "order", "rates")
        return all(
            mine[name] is theirs[name] if name in arrays else mine[name] == theirs[name] for name in mine
        )
