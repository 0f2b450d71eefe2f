"""The CPU executor: one compiled function that plays a program's table, epochs at a time.

Nothing is checked and nothing is allocated here. One compiled version serves every model of a dtype, and every dtype
of the data.
"""

import math

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.calls import call
from minibn.kernels.cpu.counting import count_right
from minibn.kernels.cpu.dense_blas import BLAS_FROM
from minibn.kernels.cpu.side_by_side import SIDE
from minibn.kernels.cpu.softmax_lanes import FEW
from minibn.kernels.cpu.views import foreign, vector
from minibn.program.instructions import COLUMN, Code
from minibn.program.operations import dispatch

# Numba freezes plain integers into the machine code; enum members and dicts would be looked up.
GATHER, FIRST_LOSS, BEHIND_LOSS, FIRST_UPDATE = (
    int(code)
    for code in (
        Code.GATHER,
        Code.SOFTMAX_CROSS_ENTROPY_FORWARD,
        Code.SOFTMAX_CROSS_ENTROPY_BACKWARD,
        Code.SGD_UPDATE,
    )
)
LAST_DENSE = int(Code.DENSE_BACKWARD_BLAS)
X, MEAN, SCALARS, INPUTS, OUTPUTS = (COLUMN[name] for name in ("x", "mean", "scalars", "inputs", "outputs"))


@kernel_part
def _is_first_largest(row, label):
    """Return whether a row's first largest entry stands at the label; NaN counts as largest, as in NumPy."""
    mine, right, number = row[label], True, row[label] == row[label]
    for k in range(row.size):  # without branches: which class wins cannot be foreseen
        smaller = (row[k] < mine) | ((k >= label) & (row[k] <= mine))
        right &= smaller if number else (k >= label) | (row[k] == row[k])
    return right


@kernel_part
def _correct(arena, offset, rows, columns, labels, stats, weighted):
    """Count the rows that are classified right, or add up their weights."""
    count, total = 0, 0.0
    if columns < FEW and not weighted:
        for first in range(0, rows, SIDE):
            count += count_right(
                arena, labels, offset + first * columns, first, min(SIDE, rows - first), columns
            )
        return float(count)
    for i in range(rows):
        right = _is_first_largest(vector(arena, offset + i * columns, columns), labels[i])
        count += right
        if weighted and right:
            total += stats[i]
    return total if weighted else float(count)


@kernel_part
def _stop(start, end, batch_size, joins):
    """Return where the batch that begins at ``start`` stops; a last batch of one row may join the one before it."""
    stop = min(start + batch_size, end)
    return end if joins and end - stop == 1 else stop


@kernel_part
def _weight(line, stats, labels, rows, weighted):
    """Return what the mean loss of a batch divides by; the rows' weights lie where the statistics begin."""
    if line[MEAN] < 0 and not weighted:
        return float(rows)
    total = 0.0
    for i in range(rows):
        factor = stats[line[MEAN] + labels[i]] if line[MEAN] >= 0 else 1.0
        total += stats[i] * factor if weighted else factor
    return total


@kernel_part
def _gather_weights(weights, order, start, rows, stats):
    for i in range(rows if weights.size else 0):
        stats[i] = weights[order[start + i]]


@kernel_part
def _gather_targets(y, targets, order, start, rows, columns, labels, batch_targets):
    for i in range(rows):
        if y.size:
            labels[i] = y[order[start + i]]
        elif targets.size:
            for j in range(columns):
                batch_targets[i * columns + j] = targets[order[start + i] * columns + j]


@kernel_part
def _any_outside(values, end):
    wrong = False
    for i in range(values.size):  # without a way out, so that it vectorises
        wrong |= (values[i] < 0) | (values[i] >= end)
    return wrong


@kernel_part
def _outside(order, rows, y, classes):
    """Return whether some row, or the label of some row, lies outside of its range."""
    if _any_outside(order, rows):
        return True
    if y.size == 0 or (y.size <= order.size and not _any_outside(y, classes)):
        return False
    for i in range(order.size):  # labels of rows that are not played may be anything
        label = y[order[i]]
        if label < 0 or label >= classes:
            return True
    return False


@kernel_part
def _entry(entries, line, rows):
    """Return the address of a line's kernel: that of BLAS stands behind that of a dense layer."""
    large = line[0] <= LAST_DENSE and rows * line[INPUTS] * line[OUTPUTS] >= BLAS_FROM
    return entries[line[0] + large]


@kernel
def play(
    lines, entries, arena, stats, counts, source, y, targets, sample_weight, order, epoch, batch_size, joins,
    labels, batch_targets, rates, losses, weights, correct, output, out,
):  # fmt: skip
    """Play a range of a program over rows of data, batch by batch: train, evaluate or predict.

    Parameters
    ----------
    lines : ndarray of int64, shape (lines, fields)
        The training range, which ends with the updates, or the evaluation range, with or without its loss.
    entries : ndarray of int64, shape (codes,)
        Addresses of the kernels.
    arena : ndarray of float32 or float64, shape (A,)
    stats : ndarray of float64, shape (S,)
    counts : ndarray of int64, shape (K,)
        Entry 0 counts the updates made.
    source : ndarray of int64, shape (5,)
        Address, shape and strides of x, (N, C).
    y : ndarray of int64, shape (N,)
        Class indices, or empty.
    targets : ndarray of the dtype of arena, shape (N * O,)
        Targets of a regression, or empty.
    sample_weight : ndarray of float64, shape (N,)
        Weights of the rows, for a program that takes them; else empty.
    order : ndarray of int64, shape (M,)
        Rows in the order of play.
    epoch : int
        Rows of an epoch; no batch holds rows of two.
    batch_size : int
    joins : bool
        Whether a last batch of a single row joins the one before it.
    labels, batch_targets : ndarray
        Room for one batch of y and of targets.
    rates : ndarray of float64, shape (steps,)
        Learning rate of every step; empty for the one that the program holds.
    losses, weights, correct : ndarray of float64, shape (steps,)
        Outputs: mean loss, what it divides by, and rows right or the sum of their weights, of every batch.
    output : int
        Where the network's output begins in the arena.
    out : ndarray of the dtype of arena, shape (M, O)
        Output of the network; may have no rows.

    Returns
    -------
    int
        Number of the first training step whose loss was not finite, counted from 0; -1 if there was none. That
        step updates nothing. -2, and nothing is played, where a row or a label is out of range.
    """
    x, columns, trains = foreign(source), out.shape[1], lines[lines.shape[0] - 1, 0] >= FIRST_UPDATE
    if _outside(order, x.shape[0], y, columns):
        return -2
    start, step, end, weighted = 0, 0, 0, sample_weight.size > 0
    while start < order.size:
        end = min(start + epoch, order.size) if start == end else end
        stop = _stop(start, end, batch_size, joins)
        rows = stop - start
        call(entries[GATHER], x, order, start, rows, vector(arena, lines[0, X], rows * x.shape[1]))
        _gather_targets(y, targets, order, start, rows, columns, labels, batch_targets)
        _gather_weights(sample_weight, order, start, rows, stats)
        for i in range(lines.shape[0]):
            line = lines[i]
            if line[0] >= FIRST_UPDATE and rates.size:
                stats[line[SCALARS]] = rates[step]
            entry = _entry(entries, line, rows)
            value = dispatch(entry, line, arena, stats, counts, labels, batch_targets, rows)
            if FIRST_LOSS <= line[0] < BEHIND_LOSS:
                losses[step], weights[step] = value, _weight(line, stats, labels, rows, weighted)
                if y.size:
                    correct[step] = _correct(arena, output, rows, columns, labels, stats, weighted)
                if trains and not math.isfinite(value):
                    return step
        if out.shape[0]:
            for i in range(rows):
                row, target = vector(arena, output + i * columns, columns), out[start + i]
                for j in range(columns):
                    target[j] = row[j]
        counts[0] += 1 if trains else 0
        start, step = stop, step + 1
    return -1
