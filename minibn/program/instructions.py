"""The instruction set: what a program's table says, and how to read it."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Code(IntEnum):
    """Operations of the executor, the numbers of its table."""

    DENSE_FORWARD = 0
    DENSE_BACKWARD = 1
    BATCH_NORM_FORWARD = 2
    BATCH_NORM_BACKWARD = 3
    BATCH_NORM_RELU_FORWARD = 4
    BATCH_NORM_RELU_BACKWARD = 5
    BATCH_NORM_INFERENCE = 6
    RELU_FORWARD = 7
    RELU_BACKWARD = 8
    SIGMOID_FORWARD = 9
    SIGMOID_BACKWARD = 10
    TANH_FORWARD = 11
    TANH_BACKWARD = 12
    SOFTMAX_CROSS_ENTROPY_FORWARD = 13
    SOFTMAX_CROSS_ENTROPY_BACKWARD = 14
    SQUARED_ERROR_FORWARD = 15
    SQUARED_ERROR_BACKWARD = 16
    SGD_UPDATE = 17
    ADAM_UPDATE = 18


# Columns of the table. The first group are offsets into the arena of the model's dtype, the second into the
# float64 arena, the third into the counters; the last two are plain numbers. -1 stands for "none".
FIELDS = (
    "x", "y", "dx", "dy", "weight", "bias", "dweight", "dbias",
    "mean", "var", "running_mean", "running_var", "scalars",
    "counter",
    "inputs", "outputs",
)  # fmt: skip
COLUMN = {name: 1 + position for position, name in enumerate(FIELDS)}


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
        """Return the line as the executor reads it, ndarray of int64."""
        return np.array([self.code, *(self.operands.get(name, -1) for name in FIELDS)], np.int64)


def table(instructions):
    """Return instructions as one array of int64, shape (lines, 1 + fields)."""
    rows = [instruction.row() for instruction in instructions]
    return np.array(rows, np.int64).reshape(len(rows), 1 + len(FIELDS))
