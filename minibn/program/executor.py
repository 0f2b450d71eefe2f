"""The CPU executor: one compiled function that plays a schedule of passes over a program's lines, epochs at a time.

Nothing is checked and nothing is allocated here. One compiled version serves every model of a dtype, and every dtype
of the data.
"""

import math

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.calls import call
from minibn.kernels.cpu.counting import count_right
from minibn.kernels.cpu.dense_blas import BLAS_FROM
from minibn.kernels.cpu.rounding import rounded
from minibn.kernels.cpu.side_by_side import SIDE
from minibn.kernels.cpu.softmax_lanes import FEW
from minibn.kernels.cpu.views import foreign, vector
from minibn.program.instructions import COLUMN, Code
from minibn.program.operations import dispatch
from minibn.program.schedule import (
    AGAIN,
    BATCH,
    FIRST,
    JOINS,
    LAST,
    LIMIT,
    OUTPUT,
    ROWS,
    SOURCE,
    START,
    TARGET,
    WATCHED,
)

# Numba freezes plain integers into the machine code; enum members and dicts would be looked up.
FIRST_LOSS, BEHIND_LOSS, FIRST_UPDATE = (
    int(code)
    for code in (
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
def _gather_weights(weights, first, order, start, rows, stats):
    for i in range(rows if weights.size else 0):
        stats[i] = weights[first + order[start + i]]


@kernel_part
def _gather_targets(y, targets, first, order, start, rows, columns, labels, batch_targets):
    for i in range(rows):
        if y.size:
            labels[i] = y[first + order[start + i]]
        elif targets.size:
            for j in range(columns):
                batch_targets[i * columns + j] = targets[(first + order[start + i]) * columns + j]


@kernel_part
def _any_outside(values, start, stop, end):
    wrong = False
    for i in range(start, stop):  # without a way out, so that it vectorises
        wrong |= (values[i] < 0) | (values[i] >= end)
    return wrong


@kernel_part
def _refused(schedule, times, y, order, classes):
    """Return whether some row, or the label of some row, lies outside of its range."""
    unsure = y.size > 0 and (y.size > order.size or _any_outside(y, 0, y.size, classes))
    for k in range(schedule.shape[0]):
        here = schedule[k]
        start, stop = here[START], here[START] + (times - 1) * here[AGAIN] + here[ROWS]
        if _any_outside(order, start, stop, here[LIMIT]):
            return True
        # labels of rows that are not played may be anything
        for i in range(start, stop if unsure else start):
            label = y[here[TARGET] + order[i]]
            if label < 0 or label >= classes:
                return True
    return False


@kernel_part
def _entry(entries, line, rows):
    """Return the address of a line's kernel: that of BLAS stands behind that of a dense layer."""
    large = line[0] <= LAST_DENSE and rows * line[INPUTS] * line[OUTPUTS] >= BLAS_FROM
    return entries[line[0] + large]


@kernel_part
def _write(arena, offset, rows, columns, out, start):
    """Keep the network's output for a batch."""
    for i in range(rows if out.shape[0] else 0):
        row, target = vector(arena, offset + i * columns, columns), out[start + i]
        for j in range(columns):
            target[j] = row[j]


@kernel
def play(
    schedule, times, lines, entries, arena, stats, counts, sources, readers, y, targets, sample_weight, order,
    labels, batch_targets, rates, results, out,
):  # fmt: skip
    """Play passes over rows of data, batch by batch, some times over: train, evaluate or predict.

    Parameters
    ----------
    schedule : ndarray of int64, shape (passes, fields)
        The fields are those of :class:`minibn.program.schedule.Pass`.
    times : int
        How often all of it is played: once an epoch.
    lines : ndarray of int64, shape (lines, fields)
        The training range, which ends with the updates, and the evaluation range, which ends with its loss.
    entries : ndarray of int64, shape (codes,)
        Addresses of the kernels.
    arena : ndarray of float32 or float64, shape (A,)
    stats : ndarray of float64, shape (S,)
    counts : ndarray of int64, shape (K,)
        Entry 0 counts the updates made.
    sources : ndarray of int64, shape (D, 5)
        Address, shape and strides of each x, (N, C), that passes read.
    readers : ndarray of int64, shape (D,)
        Addresses of the kernels that gather their rows.
    y : ndarray of int64, shape (N,)
        Class indices of all these data, one behind the other, or empty.
    targets : ndarray of the dtype of arena, shape (N * O,)
        Targets of a regression, or empty.
    sample_weight : ndarray of float64, shape (N,)
        Weights of the rows, for a program that takes them; else empty.
    order : ndarray of int64, shape (M,)
        Rows in the order of play, counted from 0 in the data of their pass.
    labels, batch_targets : ndarray
        Room for one batch of y and of targets.
    rates : ndarray of float64, shape (steps,)
        Learning rate of every step; empty for the one that the program holds.
    results : ndarray of float64, shape (5, steps)
        Output: of every batch in the order of play its mean loss and what that divides by; what its pass lost so far,
        summed over rows, and what that divides by; and its rows right, or the sum of their weights.
    out : ndarray of the dtype of arena, shape (M, O)
        Output of the network; may have no rows.

    Returns
    -------
    int
        Number of the first step of a watched pass with which something was not finite, counted from 0; -1 if there
        was none. A training step whose loss is not finite updates nothing. An evaluation is over, too, where the sum
        of its losses is not finite. -2, and nothing is played, where a row or a label is out of range.
    """
    columns, step, weighted = out.shape[1], 0, sample_weight.size > 0
    if _refused(schedule, times, y, order, columns):
        return -2
    for number in range(times * schedule.shape[0]):
        here = schedule[number % schedule.shape[0]]
        start = here[START] + number // schedule.shape[0] * here[AGAIN]
        end, total, share = start + here[ROWS], 0.0, 0.0
        x, trains = foreign(sources, here[SOURCE]), lines[here[LAST] - 1, 0] >= FIRST_UPDATE
        while start < end:
            stop = _stop(start, end, here[BATCH], here[JOINS])
            rows = stop - start
            batch = vector(arena, lines[here[FIRST], X], rows * x.shape[1])
            call(readers[here[SOURCE]], x, order, start, rows, batch)
            _gather_targets(y, targets, here[TARGET], order, start, rows, columns, labels, batch_targets)
            _gather_weights(sample_weight, here[TARGET], order, start, rows, stats)
            for i in range(here[FIRST], here[LAST]):
                line = lines[i]
                if line[0] >= FIRST_UPDATE and rates.size:
                    stats[line[SCALARS]] = rates[step]
                entry = _entry(entries, line, rows)
                value = dispatch(entry, line, arena, stats, counts, labels, batch_targets, rows)
                if FIRST_LOSS <= line[0] < BEHIND_LOSS:
                    weight = _weight(line, stats, labels, rows, weighted)
                    total, share = total + rounded(value * weight), share + weight
                    results[0, step], results[1, step] = value, weight
                    results[2, step], results[3, step] = total, share
                    if y.size:
                        results[4, step] = _correct(
                            arena, here[OUTPUT], rows, columns, labels, stats, weighted
                        )
                    if here[WATCHED] and not math.isfinite(value if trains else total):
                        return step
            _write(arena, here[OUTPUT], rows, columns, out, start)
            counts[0] += 1 if trains else 0
            start, step = stop, step + 1
    return -1
