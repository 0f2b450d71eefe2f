"""What each line of a program does: operands are looked up in the arenas, then a kernel is called.

Nothing is checked and nothing is allocated here.
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
def update_span(line, arena, stats, counts):
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
def loss_of_batch(line, arena, stats, labels, targets, rows):
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
def loss_gradient(line, arena, stats, labels, targets, rows):
    """Write the gradient of the loss by the network's output."""
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
def forward_line(line, arena, stats, counts, rows):
    """Play one line of a forward range."""
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
def backward_line(line, arena, stats, rows):
    """Play one line of the backward range."""
    code = line[0]
    if code == DENSE_BACKWARD:
        _dense_backward(line, arena, rows)
    elif code in (BN_BACKWARD, BN_RELU_BACKWARD):
        _normalize_backward(line, arena, stats, rows)
    else:
        _activate_backward(line, arena, rows)
