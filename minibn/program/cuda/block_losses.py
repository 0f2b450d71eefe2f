"""The losses, played by one block, and their gradients, by one or by a grid of them. Means are over rows, each at its weight; a row of weight 0 gets a gradient of 0."""

import math

import numpy as np

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_norm import TWO, row_weight
from minibn.program.cuda.block_sums import ONE, ZERO, block_total, row_of


@device_function
def _factor(m, weight_at, class_weight, label, i):
    factor = row_weight(m, weight_at, i)
    return factor * m[class_weight + label] if class_weight >= 0 else factor


@device_function
def _softmax(m, x, y, columns):
    """Write the softmax of a row; return its largest entry, the sum of powers, and the first largest's column.

    NaN counts as largest, as in NumPy.
    """
    highest, best, total = m[x], 0, ZERO
    for k in range(1, columns):
        value = m[x + k]
        if value > highest:
            highest = value
        if not value <= m[x + best] and m[x + best] == m[x + best]:
            best = k
    for k in range(columns):
        power = math.exp(m[x + k] - highest)
        m[y + k] = power
        total += power
    inverse = ONE / total
    for k in range(columns):
        m[y + k] *= inverse
    return highest, total, best


@device_function
def block_cross_entropy(m, x, y, labels, class_weight, weight_at, rows, columns, room):
    """Write the softmax of each row; return the mean loss, what it divides by, and the rows right by weight."""
    loss, weight, right = ZERO, ZERO, ZERO
    for i in range(cuda.threadIdx.x, rows, cuda.blockDim.x):
        label = labels[i]
        highest, total, best = _softmax(m, x + i * columns, y + i * columns, columns)
        factor = _factor(m, weight_at, class_weight, label, i)
        if factor != ZERO:
            loss += factor * (math.log(total) + (highest - m[x + i * columns + label]))
        weight += factor
        if best == label:
            right += row_weight(m, weight_at, i)
    loss, weight = block_total(loss, room), block_total(weight, room)
    return loss / weight, weight, block_total(right, room)


@device_function
def cross_entropy_backward_entries(m, y, dx, labels, class_weight, weight_at, weight, rows, columns):
    """Write factor * (probabilities - one hot) / weight."""
    for p in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        i = row_of(p, columns)
        label = labels[i]
        factor = _factor(m, weight_at, class_weight, label, i)
        hot = ONE if p - i * columns == label else ZERO
        m[dx + p] = (m[y + p] - hot) * (factor / weight) if factor != ZERO else ZERO


@device_function
def block_squared_error(m, x, target, weight_at, total, rows, columns, room):
    """Return the mean over rows, each at its weight, of the mean of (x - target) ** 2 over columns."""
    loss = ZERO
    for p in range(cuda.threadIdx.x, rows * columns, cuda.blockDim.x):
        factor, difference = row_weight(m, weight_at, row_of(p, columns)), m[x + p] - m[target + p]
        if factor != ZERO:
            loss += factor * difference * difference
    return block_total(loss, room) / (total * np.float32(columns))


@device_function
def squared_error_backward_entries(m, x, target, dx, weight_at, total, rows, columns):
    """Write 2 * weight * (x - target) / (total * np.float32(columns))."""
    share = TWO / (total * np.float32(columns))
    for p in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        factor = row_weight(m, weight_at, row_of(p, columns)) * share
        m[dx + p] = (m[x + p] - m[target + p]) * factor if factor != ZERO else ZERO
