"""The CPU executor: compiled functions that play a program's table, epochs at a time.

Nothing is checked and nothing is allocated here. One compiled version serves every model of a dtype.
"""

import math

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.views import matrix, vector
from minibn.program.instructions import COLUMN
from minibn.program.operations import backward_line, forward_line, loss_gradient, loss_of_batch, update_span

X, Y, MEAN, OUTPUTS = (COLUMN[name] for name in ("x", "y", "mean", "outputs"))


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
            forward_line(forward[i], arena, stats, counts, rows)
        losses[step] = loss_of_batch(line, arena, stats, labels, batch_targets, rows)
        weights[step] = rows
        if y.size:
            correct[step] = _correct(arena, line[X], rows, line[OUTPUTS], labels)
            if line[MEAN] >= 0:
                weights[step] = 0.0
                for i in range(rows):
                    weights[step] += stats[line[MEAN] + labels[i]]
        if not math.isfinite(losses[step]):
            return step
        loss_gradient(loss[1], arena, stats, labels, batch_targets, rows)
        for i in range(backward.shape[0]):
            backward_line(backward[i], arena, stats, rows)
        for i in range(update.shape[0]):
            update_span(update[i], arena, stats, counts)
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
            forward_line(forward[i], arena, stats, counts, rows)
        result = matrix(arena, last[Y], rows, columns)
        for i in range(rows):
            for j in range(columns):
                out[start + i, j] = result[i, j]
