"""What each line of a program does: operands are looked up in the arenas, then a kernel is called by its address.

Nothing is checked and nothing is allocated here.
"""

import math

from minibn.kernels import BLAS_FROM
from minibn.kernels.compile import part
from minibn.kernels.cpu.calls import call, call_float
from minibn.kernels.cpu.views import matrix, vector
from minibn.program.instructions import COLUMN, Code

# Numba freezes plain integers into the machine code; enum members and dicts would be looked up.
X, Y, DX, DY = (COLUMN[name] for name in ("x", "y", "dx", "dy"))
WEIGHT, BIAS, DWEIGHT, DBIAS = (COLUMN[name] for name in ("weight", "bias", "dweight", "dbias"))
MEAN, VAR, RUNNING_MEAN, RUNNING_VAR = (COLUMN[n] for n in ("mean", "var", "running_mean", "running_var"))
SCALARS, COUNTER, INPUTS, OUTPUTS = (COLUMN[n] for n in ("scalars", "counter", "inputs", "outputs"))

DENSE_FORWARD, DENSE_BACKWARD = int(Code.DENSE_FORWARD), int(Code.DENSE_BACKWARD)
BN_FORWARD, BN_BACKWARD = int(Code.BATCH_NORM_FORWARD), int(Code.BATCH_NORM_BACKWARD)
BN_RELU_FORWARD, BN_RELU_BACKWARD = int(Code.BATCH_NORM_RELU_FORWARD), int(Code.BATCH_NORM_RELU_BACKWARD)
BN_INFERENCE, TRACK = int(Code.BATCH_NORM_INFERENCE), int(Code.UPDATE_RUNNING_STATS)
RELU_FORWARD, SIGMOID_FORWARD, TANH_FORWARD = (
    int(c) for c in (Code.RELU_FORWARD, Code.SIGMOID_FORWARD, Code.TANH_FORWARD)
)
SE_FORWARD, SE_BACKWARD = int(Code.SQUARED_ERROR_FORWARD), int(Code.SQUARED_ERROR_BACKWARD)
SGD_UPDATE, ADAM_UPDATE = int(Code.SGD_UPDATE), int(Code.ADAM_UPDATE)


@part
def _size(offset, size):
    """Return the size of an operand, 0 where there is none."""
    return size if offset >= 0 else 0


@part
def _dense(line, entries, arena, rows):
    inputs, outputs = line[INPUTS], line[OUTPUTS]
    large = 1 if rows * inputs * outputs >= BLAS_FROM else 0
    x, weight = matrix(arena, line[X], rows, inputs), matrix(arena, line[WEIGHT], inputs, outputs)
    if line[0] == DENSE_FORWARD:
        bias, y = vector(arena, line[BIAS], _size(line[BIAS], outputs)), matrix(arena, line[Y], rows, outputs)
        call(entries[DENSE_FORWARD + large], x, weight, bias, y)
        return
    dy, dweight = matrix(arena, line[DY], rows, outputs), matrix(arena, line[DWEIGHT], inputs, outputs)
    dx = matrix(arena, line[DX], _size(line[DX], rows), inputs)
    dbias = vector(arena, line[DBIAS], _size(line[BIAS], outputs))
    call(entries[DENSE_BACKWARD + large], dy, x, weight, dx, dweight, dbias)


@part
def _all_finite(values):
    for value in values:
        if not math.isfinite(value):
            return False
    return True


@part
def _track(line, entries, stats, counts, rows, mean, var):
    """Move the running statistics, unless one of the batch is not finite."""
    at, columns = line[SCALARS], line[OUTPUTS]
    if not (_all_finite(mean) and _all_finite(var)):
        counts[line[COUNTER] + 1] += 1
        return
    counts[line[COUNTER]] += 1
    momentum = stats[at + 1] if stats[at + 1] >= 0 else 1.0 / counts[line[COUNTER]]
    n = rows if stats[at + 2] > 0 else 0
    running_mean, running_var = vector(stats, line[RUNNING_MEAN], columns), vector(stats, line[RUNNING_VAR], columns)
    call(entries[TRACK], running_mean, running_var, mean, var, n, momentum)


@part
def _batch_norm(line, entries, arena, stats, counts, rows):
    code, columns, eps = line[0], line[OUTPUTS], stats[line[SCALARS]]
    x, gamma, beta = matrix(arena, line[X], rows, columns), vector(arena, line[WEIGHT], columns), vector(arena, line[BIAS], columns)
    mean, var = vector(stats, line[MEAN], columns), vector(stats, line[VAR], columns)
    if code == BN_FORWARD or code == BN_RELU_FORWARD:
        call(entries[code], x, gamma, beta, eps, matrix(arena, line[Y], rows, columns), mean, var)
        _track(line, entries, stats, counts, rows, mean, var)
        return
    if code == BN_INFERENCE:
        call(entries[code], x, gamma, beta, mean, var, eps, matrix(arena, line[Y], rows, columns))
        return
    dy, dx = matrix(arena, line[DY], rows, columns), matrix(arena, line[DX], rows, columns)
    dgamma, dbeta = vector(arena, line[DWEIGHT], columns), vector(arena, line[DBIAS], columns)
    if code == BN_BACKWARD:
        call(entries[code], dy, x, gamma, mean, var, eps, dx, dgamma, dbeta)
    else:
        call(entries[code], dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta)


@part
def play_update(line, entries, arena, stats, counts):
    """Move one span of parameters; scalars are learning rate, weight decay, then the optimizer's own."""
    size, at = line[OUTPUTS], line[SCALARS]
    param, grad = vector(arena, line[X], size), vector(arena, line[DX], size)
    first = vector(arena, line[WEIGHT], _size(line[WEIGHT], size))
    rate, decay, third, fourth, fifth = stats[at], stats[at + 1], stats[at + 2], stats[at + 3], stats[at + 4]
    if line[0] == ADAM_UPDATE:
        second, step = vector(arena, line[BIAS], size), counts[line[COUNTER]] + 1
        call(entries[ADAM_UPDATE], param, grad, first, second, step, rate, third, fourth, fifth, decay)
    else:
        call(entries[SGD_UPDATE], param, grad, first, rate, third, fourth > 0, decay)


@part
def _activation(line, entries, arena, rows):
    code, size = line[0], rows * line[OUTPUTS]
    y = vector(arena, line[Y], size)
    if code == RELU_FORWARD or code == SIGMOID_FORWARD or code == TANH_FORWARD:
        call(entries[code], vector(arena, line[X], size), y)
    else:
        call(entries[code], vector(arena, line[DY], size), y, vector(arena, line[DX], size))


@part
def play_loss(line, entries, arena, stats, labels, targets, rows):
    """Play a line of a loss; return the loss of the batch, or 0 for its gradient."""
    code, columns = line[0], line[OUTPUTS]
    size = rows * columns
    if code == SE_FORWARD:
        return call_float(entries[code], vector(arena, line[X], size), vector(targets, 0, size))
    if code == SE_BACKWARD:
        dx = vector(arena, line[DX], size)
        call(entries[code], vector(arena, line[X], size), vector(targets, 0, size), dx)
        return 0.0
    weights = vector(stats, line[MEAN], _size(line[MEAN], columns))
    batch, probabilities = vector(labels, 0, rows), matrix(arena, line[Y], rows, columns)
    if line[DX] < 0:
        logits = matrix(arena, line[X], rows, columns)
        return call_float(entries[code], logits, batch, weights, probabilities)
    call(entries[code], probabilities, batch, weights, matrix(arena, line[DX], rows, columns))
    return 0.0


@part
def play_line(line, entries, arena, stats, counts, rows):
    """Play a line of a layer, forward or backward."""
    code = line[0]
    if code <= DENSE_BACKWARD:
        _dense(line, entries, arena, rows)
    elif code <= BN_INFERENCE:
        _batch_norm(line, entries, arena, stats, counts, rows)
    else:
        _activation(line, entries, arena, rows)
