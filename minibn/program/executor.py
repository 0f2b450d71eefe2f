"""The CPU executor: compiled functions that play a program's table, epochs at a time.

Nothing is checked and nothing is allocated here. One compiled version serves every model of a dtype.
"""

import math

from minibn.kernels import (
    adam_update_inplace,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_relu_backward,
    batch_norm_relu_forward,
    dense_backward,
    dense_forward,
    relu_backward,
    relu_forward,
    sgd_update_inplace,
    sigmoid_backward,
    sigmoid_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    squared_error_backward,
    squared_error_forward,
    tanh_backward,
    tanh_forward,
    update_running_stats_inplace,
)
from minibn.kernels.compile import kernel
from minibn.program.instructions import COLUMN, Code
from minibn.program.views import matrix, vector

# Numba freezes plain integers into the machine code; enum members and dicts would be looked up.
X, Y, DX, DY = (COLUMN[name] for name in ("x", "y", "dx", "dy"))
WEIGHT, BIAS, DWEIGHT, DBIAS = (COLUMN[name] for name in ("weight", "bias", "dweight", "dbias"))
MEAN, VAR, RUNNING_MEAN, RUNNING_VAR = (COLUMN[n] for n in ("mean", "var", "running_mean", "running_var"))
SCALARS, COUNTER, INPUTS, OUTPUTS = (COLUMN[n] for n in ("scalars", "counter", "inputs", "outputs"))

DENSE_FORWARD, DENSE_BACKWARD = int(Code.DENSE_FORWARD), int(Code.DENSE_BACKWARD)
BN_FORWARD, BN_BACKWARD = int(Code.BATCH_NORM_FORWARD), int(Code.BATCH_NORM_BACKWARD)
BN_RELU_FORWARD, BN_RELU_BACKWARD = int(Code.BATCH_NORM_RELU_FORWARD), int(Code.BATCH_NORM_RELU_BACKWARD)
BN_INFERENCE = int(Code.BATCH_NORM_INFERENCE)
RELU_FORWARD, RELU_BACKWARD = int(Code.RELU_FORWARD), int(Code.RELU_BACKWARD)
SIGMOID_FORWARD, SIGMOID_BACKWARD = int(Code.SIGMOID_FORWARD), int(Code.SIGMOID_BACKWARD)
TANH_FORWARD, TANH_BACKWARD = int(Code.TANH_FORWARD), int(Code.TANH_BACKWARD)
CE_FORWARD, CE_BACKWARD = int(Code.SOFTMAX_CROSS_ENTROPY_FORWARD), int(Code.SOFTMAX_CROSS_ENTROPY_BACKWARD)
SE_FORWARD, SE_BACKWARD = int(Code.SQUARED_ERROR_FORWARD), int(Code.SQUARED_ERROR_BACKWARD)
SGD_UPDATE, ADAM_UPDATE = int(Code.SGD_UPDATE), int(Code.ADAM_UPDATE)


@kernel
def _dense_forward(line, arena, rows):
    inputs, outputs = line[INPUTS], line[OUTPUTS]
    x, y = matrix(arena, line[X], rows, inputs), matrix(arena, line[Y], rows, outputs)
    weight = matrix(arena, line[WEIGHT], inputs, outputs)
    if line[BIAS] < 0:
        dense_forward(x, weight, None, y)
    else:
        dense_forward(x, weight, vector(arena, line[BIAS], outputs), y)


@kernel
def _dense_backward(line, arena, rows):
    inputs, outputs = line[INPUTS], line[OUTPUTS]
    dy, x = matrix(arena, line[DY], rows, outputs), matrix(arena, line[X], rows, inputs)
    weight, dweight = (
        matrix(arena, line[WEIGHT], inputs, outputs),
        matrix(arena, line[DWEIGHT], inputs, outputs),
    )
    if line[DX] >= 0:
        dx = matrix(arena, line[DX], rows, inputs)
        if line[BIAS] >= 0:
            dense_backward(dy, x, weight, dx, dweight, vector(arena, line[DBIAS], outputs))
        else:
            dense_backward(dy, x, weight, dx, dweight, None)
    elif line[BIAS] >= 0:
        dense_backward(dy, x, weight, None, dweight, vector(arena, line[DBIAS], outputs))
    else:
        dense_backward(dy, x, weight, None, dweight, None)


@kernel
def _all_finite(values):
    for value in values:
        if not math.isfinite(value):
            return False
    return True


@kernel
def _track(line, stats, counts, rows):
    """Move the running statistics, unless one of the batch is not finite."""
    columns, at = line[OUTPUTS], line[SCALARS]
    mean, var = vector(stats, line[MEAN], columns), vector(stats, line[VAR], columns)
    if not (_all_finite(mean) and _all_finite(var)):
        counts[line[COUNTER] + 1] += 1
        return
    counts[line[COUNTER]] += 1
    momentum = stats[at + 1] if stats[at + 1] >= 0 else 1.0 / counts[line[COUNTER]]
    n = rows if stats[at + 2] > 0 else 0
    running_mean, running_var = (
        vector(stats, line[RUNNING_MEAN], columns),
        vector(stats, line[RUNNING_VAR], columns),
    )
    update_running_stats_inplace(running_mean, running_var, mean, var, n, momentum)


@kernel
def _normalize(line, arena, stats, rows):
    columns, eps = line[OUTPUTS], stats[line[SCALARS]]
    x, y = matrix(arena, line[X], rows, columns), matrix(arena, line[Y], rows, columns)
    gamma, beta = vector(arena, line[WEIGHT], columns), vector(arena, line[BIAS], columns)
    mean, var = vector(stats, line[MEAN], columns), vector(stats, line[VAR], columns)
    if line[0] == BN_FORWARD:
        batch_norm_forward(x, gamma, beta, eps, y, mean, var)
    elif line[0] == BN_RELU_FORWARD:
        batch_norm_relu_forward(x, gamma, beta, eps, y, mean, var)
    else:
        batch_norm_inference(x, gamma, beta, mean, var, eps, y)


@kernel
def _normalize_backward(line, arena, stats, rows):
    columns, eps = line[OUTPUTS], stats[line[SCALARS]]
    dy, x = matrix(arena, line[DY], rows, columns), matrix(arena, line[X], rows, columns)
    dx, gamma = matrix(arena, line[DX], rows, columns), vector(arena, line[WEIGHT], columns)
    mean, var = vector(stats, line[MEAN], columns), vector(stats, line[VAR], columns)
    dgamma, dbeta = vector(arena, line[DWEIGHT], columns), vector(arena, line[DBIAS], columns)
    if line[0] == BN_BACKWARD:
        batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta)
    else:
        beta = vector(arena, line[BIAS], columns)
        batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta)


@kernel
def _activate(line, arena, rows):
    size = rows * line[OUTPUTS]
    x, y = vector(arena, line[X], size), vector(arena, line[Y], size)
    if line[0] == RELU_FORWARD:
        relu_forward(x, y)
    elif line[0] == SIGMOID_FORWARD:
        sigmoid_forward(x, y)
    else:
        tanh_forward(x, y)


@kernel
def _activate_backward(line, arena, rows):
    size = rows * line[OUTPUTS]
    dy, y, dx = vector(arena, line[DY], size), vector(arena, line[Y], size), vector(arena, line[DX], size)
    if line[0] == RELU_BACKWARD:
        relu_backward(dy, y, dx)
    elif line[0] == SIGMOID_BACKWARD:
        sigmoid_backward(dy, y, dx)
    else:
        tanh_backward(dy, y, dx)


@kernel
def _update(line, arena, stats, counts):
    """Move one span of parameters; scalars are learning rate, weight decay, then the optimizer's own."""
    size, at = line[OUTPUTS], line[SCALARS]
    param, grad = vector(arena, line[X], size), vector(arena, line[DX], size)
    rate, decay, third, fourth, fifth = stats[at], stats[at + 1], stats[at + 2], stats[at + 3], stats[at + 4]
    if line[0] == ADAM_UPDATE:
        m, v = vector(arena, line[WEIGHT], size), vector(arena, line[BIAS], size)
        adam_update_inplace(param, grad, m, v, counts[line[COUNTER]] + 1, rate, third, fourth, fifth, decay)
    elif line[WEIGHT] >= 0:
        velocity = vector(arena, line[WEIGHT], size)
        sgd_update_inplace(param, grad, velocity, rate, third, fourth > 0, decay)
    else:
        sgd_update_inplace(param, grad, None, rate, 0.0, False, decay)


@kernel
def _loss(line, arena, stats, labels, targets, rows):
    """Return the loss of the batch."""
    columns = line[OUTPUTS]
    x = matrix(arena, line[X], rows, columns)
    if line[0] == SE_FORWARD:
        return squared_error_forward(x.reshape(x.size), targets[:rows].reshape(x.size))
    y = matrix(arena, line[Y], rows, columns)
    if line[MEAN] < 0:
        return softmax_cross_entropy_forward(x, labels[:rows], None, y)
    return softmax_cross_entropy_forward(x, labels[:rows], vector(stats, line[MEAN], columns), y)


@kernel
def _loss_backward(line, arena, stats, labels, targets, rows):
    columns = line[OUTPUTS]
    dx = matrix(arena, line[DX], rows, columns)
    if line[0] == SE_BACKWARD:
        x = vector(arena, line[X], rows * columns)
        squared_error_backward(x, targets[:rows].reshape(x.size), dx.reshape(x.size))
        return
    y = matrix(arena, line[Y], rows, columns)
    if line[MEAN] < 0:
        softmax_cross_entropy_backward(y, labels[:rows], None, dx)
    else:
        softmax_cross_entropy_backward(y, labels[:rows], vector(stats, line[MEAN], columns), dx)


@kernel
def _forward(line, arena, stats, counts, rows):
    code = line[0]
    if code == DENSE_FORWARD:
        _dense_forward(line, arena, rows)
    elif code in (BN_FORWARD, BN_RELU_FORWARD, BN_INFERENCE):
        _normalize(line, arena, stats, rows)
        if code != BN_INFERENCE:
            _track(line, stats, counts, rows)
    else:
        _activate(line, arena, rows)


@kernel
def _backward(line, arena, stats, rows):
    code = line[0]
    if code == DENSE_BACKWARD:
        _dense_backward(line, arena, rows)
    elif code in (BN_BACKWARD, BN_RELU_BACKWARD):
        _normalize_backward(line, arena, stats, rows)
    else:
        _activate_backward(line, arena, rows)


@kernel
def _gather(x, order, start, rows, arena, offset):
    columns = x.shape[1]
    for i in range(rows):
        row, source = vector(arena, offset + i * columns, columns), order[start + i]
        for j in range(columns):
            row[j] = x[source, j]


@kernel
def _correct(arena, offset, rows, columns, labels):
    """Count the rows whose first largest entry stands at the label; NaN counts as largest, as in NumPy."""
    count = 0
    for i in range(rows):
        row, best = vector(arena, offset + i * columns, columns), 0
        for k in range(1, columns):
            if not row[k] <= row[best] and row[best] == row[best]:
                best = k
        count += best == labels[i]
    return count


@kernel
def next_stop(start, rows, batch_size):
    """Return where the batch that begins at ``start`` ends; a last batch of one row joins the one before it."""
    stop = min(start + batch_size, rows)
    return rows if rows - stop == 1 else stop


@kernel
def play_epoch(
    forward, loss, backward, update, arena, stats, counts,
    x, y, targets, order, batch_size, labels, batch_targets, losses, weights, correct,
):  # fmt: skip
    """Train on all batches of one epoch.

    Parameters
    ----------
    forward, loss, backward, update : ndarray of int64, shape (lines, fields)
        The four ranges of the training program; ``loss`` is two lines, forward and backward.
    arena : ndarray of float32 or float64, shape (A,)
    stats : ndarray of float64, shape (S,)
    counts : ndarray of int64, shape (K,)
        Entry 0 counts the updates made.
    x : ndarray of numbers, shape (N, C)
    y : ndarray of int64, shape (N,)
        Class indices, or empty.
    targets : ndarray of the dtype of arena, shape (N, O)
        Targets of a regression, or empty.
    order : ndarray of int64, shape (N,)
    batch_size : int
    labels, batch_targets : ndarray
        Room for one batch of y and of targets.
    losses, weights, correct : ndarray of float64, shape (steps,)
        Outputs: mean loss, what it divides by, and rows right, of every step.

    Returns
    -------
    int
        Number of the first step whose loss was not finite, counted from 0; -1 if there was none. That step
        updates nothing.
    """
    start, step, line = 0, 0, loss[0]
    while start < order.size:
        stop = next_stop(start, order.size, batch_size)
        rows = stop - start
        _gather(x, order, start, rows, arena, forward[0, X])
        for i in range(rows):
            if y.size:
                labels[i] = y[order[start + i]]
            else:
                batch_targets[i] = targets[order[start + i]]
        for i in range(forward.shape[0]):
            _forward(forward[i], arena, stats, counts, rows)
        losses[step] = _loss(line, arena, stats, labels, batch_targets, rows)
        weights[step] = rows
        if y.size:
            correct[step] = _correct(arena, line[X], rows, line[OUTPUTS], labels)
            if line[MEAN] >= 0:
                weights[step] = 0.0
                for i in range(rows):
                    weights[step] += stats[line[MEAN] + labels[i]]
        if not math.isfinite(losses[step]):
            return step
        _loss_backward(loss[1], arena, stats, labels, batch_targets, rows)
        for i in range(backward.shape[0]):
            _backward(backward[i], arena, stats, rows)
        for i in range(update.shape[0]):
            _update(update[i], arena, stats, counts)
        counts[0] += 1
        start, step = stop, step + 1
    return -1


@kernel
def play_forward(forward, arena, stats, counts, x, block, out):
    """Write the network's output in evaluation mode, in blocks of rows.

    Parameters
    ----------
    forward : ndarray of int64, shape (lines, fields)
        The evaluation program.
    arena, stats, counts : ndarray
        As in :func:`play_epoch`.
    x : ndarray of numbers, shape (N, C)
    block : int
        Rows of a block.
    out : ndarray of the dtype of arena, shape (N, K)
        Output.
    """
    last = forward[forward.shape[0] - 1]
    columns = last[OUTPUTS]
    for start in range(0, x.shape[0], block):
        rows = min(block, x.shape[0] - start)
        for i in range(rows):
            source, at = x[start + i], forward[0, X] + i * x.shape[1]
            for j in range(source.size):
                arena[at + j] = source[j]
        for i in range(forward.shape[0]):
            _forward(forward[i], arena, stats, counts, rows)
        result = matrix(arena, last[Y], rows, columns)
        for i in range(rows):
            for j in range(columns):
                out[start + i, j] = result[i, j]
