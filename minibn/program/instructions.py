"""The instruction set: what a program's table says, and how to read it."""

from dataclasses import dataclass, field
from enum import IntEnum, auto
from itertools import repeat

import numpy as np


class Code(IntEnum):
    """Operations of the executor, the numbers of its table."""

    GATHER = 0
    DENSE_FORWARD = auto()
    DENSE_FORWARD_BLAS = auto()  # right behind the other: the executor picks one of the two by size
    DENSE_BACKWARD = auto()
    DENSE_BACKWARD_BLAS = auto()
    BATCH_STATISTICS = auto()
    TRACK_STATISTICS = auto()
    WEIGHTED_STATISTICS = auto()
    TRACK_WEIGHTED_STATISTICS = auto()
    NORMALIZE = auto()
    NORMALIZE_RELU = auto()
    BATCH_NORM_BACKWARD = auto()
    BATCH_NORM_RELU_BACKWARD = auto()
    BATCH_NORM_WEIGHTED_BACKWARD = auto()
    RELU_FORWARD = auto()
    RELU_BACKWARD = auto()
    SIGMOID_FORWARD = auto()
    SIGMOID_BACKWARD = auto()
    TANH_FORWARD = auto()
    TANH_BACKWARD = auto()
    SOFTMAX_CROSS_ENTROPY_FORWARD = auto()  # from here the losses
    WEIGHTED_CROSS_ENTROPY_FORWARD = auto()
    SQUARED_ERROR_FORWARD = auto()
    WEIGHTED_SQUARED_ERROR_FORWARD = auto()
    SOFTMAX_CROSS_ENTROPY_BACKWARD = auto()  # to here
    WEIGHTED_CROSS_ENTROPY_BACKWARD = auto()
    SQUARED_ERROR_BACKWARD = auto()
    WEIGHTED_SQUARED_ERROR_BACKWARD = auto()
    SGD_UPDATE = auto()
    ADAM_UPDATE = auto()


# Columns of the table: offsets into the arena of the model's dtype, into the float64 arena and into the counters, then
# plain numbers. -1 stands for "none".
_FIELDS = {
    "arena": ("x", "y", "dx", "dy", "weight", "bias", "dweight", "dbias"),
    "stats": ("mean", "var", "running_mean", "running_var", "scalars"),
    "counts": ("counter",),
    "": ("inputs", "outputs"),
}
FIELDS = tuple(name for names in _FIELDS.values() for name in names)
COLUMN = {name: 1 + position for position, name in enumerate(FIELDS)}
MEMORY = {name: memory for memory, names in _FIELDS.items() for name in names}
"""Which arena a column points into; empty for a plain number."""


@dataclass(frozen=True)
class Instruction:
    """One line of a program.

    Attributes
    ----------
    code : Code
    operands : dict of str to int
        By the names in :data:`FIELDS`; those left out are -1.
    """

    code: Code
    operands: dict = field(default_factory=dict)

    def row(self):
        """Return the line as the executor reads it, list of int."""
        return [int(self.code), *map(self.operands.get, FIELDS, repeat(-1))]


def table(instructions):
    """Return instructions as one array of int64, shape (lines, 1 + fields)."""
    rows = [instruction.row() for instruction in instructions]
    return np.array(rows, np.int64).reshape(len(rows), 1 + len(FIELDS))
