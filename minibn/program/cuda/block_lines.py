"""One line of a program, played by all threads of one block. ``at`` is where the line begins in the table."""

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_norm import block_norm_backward, block_normalize, block_statistics, block_track
from minibn.program.cuda.block_sums import row_of
from minibn.program.cuda.entries import (
    relu_backward_entries,
    relu_entries,
    sigmoid_backward_entries,
    sigmoid_entries,
    tanh_backward_entries,
    tanh_entries,
)
from minibn.program.cuda.products import dense_backward_entries, dense_entries
from minibn.program.instructions import COLUMN, FIELDS, Code

LINE = 1 + len(FIELDS)
# Numba freezes plain integers into the machine code.
X, Y, DX, DY, WEIGHT, BIAS, DWEIGHT, DBIAS = (
    COLUMN[name] for name in ("x", "y", "dx", "dy", "weight", "bias", "dweight", "dbias")
)
MEAN, VAR, RUNNING_MEAN, RUNNING_VAR, SCALARS, COUNTER, INPUTS, OUTPUTS = (
    COLUMN[name]
    for name in ("mean", "var", "running_mean", "running_var", "scalars", "counter", "inputs", "outputs")
)
DENSE = int(Code.DENSE_FORWARD)
STATISTICS, STATISTICS_WEIGHTED = int(Code.BATCH_STATISTICS), int(Code.WEIGHTED_STATISTICS)
TRACK, TRACK_WEIGHTED = int(Code.TRACK_STATISTICS), int(Code.TRACK_WEIGHTED_STATISTICS)
NORMALIZE, NORMALIZE_RELU = int(Code.NORMALIZE), int(Code.NORMALIZE_RELU)
NORM_RELU_BACK = int(Code.BATCH_NORM_RELU_BACKWARD)
NORM_BACK_WEIGHTED = int(Code.BATCH_NORM_WEIGHTED_BACKWARD)
RELU, RELU_BACK = int(Code.RELU_FORWARD), int(Code.RELU_BACKWARD)
SIGMOID, SIGMOID_BACK = int(Code.SIGMOID_FORWARD), int(Code.SIGMOID_BACKWARD)
TANH = int(Code.TANH_FORWARD)


@device_function
def gather_rows(m, at, x, features, order, start, rows):
    """Copy the rows of a batch to ``at``."""
    for p in range(cuda.grid(1), rows * features, cuda.gridsize(1)):
        i = row_of(p, features)
        m[at + p] = x[order[start + i] * features + (p - i * features)]


@device_function
def gather_answers(
    m, y, labelled, labels, targets, target_at, classes, weights, weight_at, order, start, rows
):
    """Copy labels, targets and weights of a batch, those that there are."""
    for i in range(cuda.grid(1), rows, cuda.gridsize(1)):
        row = order[start + i]
        if labelled:
            labels[i] = y[row]
        if target_at >= 0:
            for k in range(classes):
                m[target_at + i * classes + k] = targets[row * classes + k]
        if weight_at >= 0:
            m[weight_at + i] = weights[row]


@device_function
def dense_line(m, table, at, rows):
    """Play a line of a dense layer."""
    x, weight, inputs, outputs = table[at + X], table[at + WEIGHT], table[at + INPUTS], table[at + OUTPUTS]
    if table[at] == DENSE:
        dense_entries(m, x, weight, table[at + BIAS], table[at + Y], rows, inputs, outputs)
    else:
        dy, dx, dweight, dbias = table[at + DY], table[at + DX], table[at + DWEIGHT], table[at + DBIAS]
        dense_backward_entries(m, dy, x, weight, dx, dweight, dbias, rows, inputs, outputs)


@device_function
def norm_line(m, counts, table, at, weight_at, total, rows, room):
    """Play a line of a batch norm; only those for weights heed the weights."""
    code, x, mean, var = table[at], table[at + X], table[at + MEAN], table[at + VAR]
    scalars, columns = table[at + SCALARS], table[at + OUTPUTS]
    gamma, beta = table[at + WEIGHT], table[at + BIAS]
    heeded = weight_at if code == STATISTICS_WEIGHTED or code == NORM_BACK_WEIGHTED else -1  # noqa: SIM109
    if code == STATISTICS or code == STATISTICS_WEIGHTED:  # noqa: SIM109  Numba knows no "in" here
        block_statistics(m, x, mean, var, heeded, total, rows, columns, room)
    elif code == TRACK or code == TRACK_WEIGHTED:  # noqa: SIM109
        running_mean, running_var = table[at + RUNNING_MEAN], table[at + RUNNING_VAR]
        counter = table[at + COUNTER]
        block_track(m, running_mean, running_var, mean, var, scalars, counts, counter, total, columns)
    elif code == NORMALIZE or code == NORMALIZE_RELU:  # noqa: SIM109
        relu, y = code == NORMALIZE_RELU, table[at + Y]
        block_normalize(m, x, gamma, beta, mean, var, m[scalars], relu, y, rows, columns)
    else:
        relu, dy, dx = code == NORM_RELU_BACK, table[at + DY], table[at + DX]
        dgamma, dbeta = table[at + DWEIGHT], table[at + DBIAS]
        block_norm_backward(
            m, dy, x, gamma, beta, mean, var, m[scalars], relu, dx, dgamma, dbeta, heeded, total, rows, columns, room
        )  # fmt: skip


@device_function
def activation_line(m, table, at, rows):
    """Play a line of an activation."""
    code, size = table[at], rows * table[at + OUTPUTS]
    x, y, dx, dy = table[at + X], table[at + Y], table[at + DX], table[at + DY]
    if code == RELU:
        relu_entries(m, x, y, size)
    elif code == RELU_BACK:
        relu_backward_entries(m, dy, y, dx, size)
    elif code == SIGMOID:
        sigmoid_entries(m, x, y, size)
    elif code == SIGMOID_BACK:
        sigmoid_backward_entries(m, dy, y, dx, size)
    elif code == TANH:
        tanh_entries(m, x, y, size)
    else:
        tanh_backward_entries(m, dy, y, dx, size)
