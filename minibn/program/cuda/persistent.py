"""The executor for small models: one kernel of one block plays whole epochs.

The twin of :mod:`minibn.program.executor`: it walks the same table line by line, each line played by all threads of the
block, with a barrier behind it. Nothing is launched and nothing is copied between the first batch and the last.
"""

import functools

import numpy as np

from minibn.kernels.cuda.arrays import to_device
from minibn.kernels.cuda.target import SIMULATED, cuda, device_function, kernel, ready
from minibn.program.cuda.block_lines import (
    BIAS,
    DX,
    LINE,
    MEAN,
    OUTPUTS,
    SCALARS,
    WEIGHT,
    X,
    Y,
    activation_line,
    dense_line,
    gather_answers,
    gather_rows,
    norm_line,
)
from minibn.program.cuda.block_losses import (
    block_cross_entropy,
    block_squared_error,
    cross_entropy_backward_entries,
    squared_error_backward_entries,
)
from minibn.program.cuda.block_sums import ZERO, block_total, finite
from minibn.program.cuda.updates import adam_entries, sgd_entries
from minibn.program.instructions import Code

THREADS = 16 if SIMULATED else 512
"""Threads of the block, a power of two; at 512 each has 128 registers."""

# Numba freezes plain integers into the machine code.
FIRST_NORM, FIRST_ACTIVATION = int(Code.BATCH_STATISTICS), int(Code.RELU_FORWARD)
FIRST_LOSS, FIRST_GRADIENT = int(Code.SOFTMAX_CROSS_ENTROPY_FORWARD), int(Code.SOFTMAX_CROSS_ENTROPY_BACKWARD)
FIRST_SQUARED, FIRST_SQUARED_GRADIENT = int(Code.SQUARED_ERROR_FORWARD), int(Code.SQUARED_ERROR_BACKWARD)
SGD = int(Code.SGD_UPDATE)


@device_function
def _total_weight(m, weight_at, rows, room):
    """Return the sum of the weights of a batch, or its rows where there are none."""
    weight = ZERO
    for i in range(cuda.threadIdx.x, rows if weight_at >= 0 else 0, cuda.blockDim.x):
        weight += m[weight_at + i]
    return block_total(weight, room) if weight_at >= 0 else np.float32(rows)


@device_function
def _loss(m, table, at, labels, target_at, weight_at, total, rows, room):
    """Return the loss of a batch, what its mean divides by, and the rows right."""
    x, columns = table[at + X], table[at + OUTPUTS]
    if table[at] >= FIRST_SQUARED:
        loss = block_squared_error(m, x, target_at, weight_at, total, rows, columns, room)
        return loss, total, ZERO
    return block_cross_entropy(m, x, table[at + Y], labels, table[at + MEAN], weight_at, rows, columns, room)


@device_function
def _loss_gradient(m, table, at, labels, target_at, weight_at, weight, rows):
    dx, columns = table[at + DX], table[at + OUTPUTS]
    if table[at] >= FIRST_SQUARED_GRADIENT:
        squared_error_backward_entries(m, table[at + X], target_at, dx, weight_at, weight, rows, columns)
    else:
        y, factors = table[at + Y], table[at + MEAN]
        cross_entropy_backward_entries(m, y, dx, labels, factors, weight_at, weight, rows, columns)


@device_function
def _update(m, table, at, rate, counts):
    param, grad, first, scalars = table[at + X], table[at + DX], table[at + WEIGHT], table[at + SCALARS]
    size = table[at + OUTPUTS]
    if table[at] == SGD:
        sgd_entries(m, param, grad, first, scalars, rate, size)
    else:
        number = np.float32(counts[0] + 1)
        adam_entries(m, param, grad, first, table[at + BIAS], scalars, rate, number, size)


@functools.cache
def make_play(threads):
    """Return the kernel for blocks of so many threads, a power of two.

    Its arguments: ``m``, the program's memory; ``counts``; ``table``, the ``lines`` one behind the other, whose offsets
    are those into ``m``; ``weight_at`` and ``target_at``, where the batch's weights and targets go, -1 for none; data
    ``x`` of ``features`` columns, labels ``y``, where ``labelled``, ``targets``, ``weights`` and ``order`` of whole
    epochs, each of ``epoch`` rows; ``rates``, which hold for every step where there are ``rated``; the outputs ``results``, mean loss, what
    it divides by, and rows right of every one of ``steps`` batches, and ``out`` with the network's output where
    ``written``, which begins at ``output`` in ``m``; and ``state``, whose entry becomes the first step that failed,
    or -1.
    """

    @kernel(threads)
    def play_on_one_block(
        m, counts, table, lines, weight_at, target_at, x, features, y, labelled, labels, targets, weights, order,
        rows_in_all, epoch, batch_size, joins, trains, rates, rated, results, steps, output, out, classes, written, state,
    ):  # fmt: skip
        room = cuda.shared.array(threads, np.float32)
        t = cuda.threadIdx.x
        start, step, failed, end = 0, 0, -1, epoch
        while start < rows_in_all and failed < 0:
            stop = min(start + batch_size, end)
            if joins and end - stop == 1:
                stop = end
            end += epoch if stop == end else 0
            rows = stop - start
            gather_rows(m, table[X], x, features, order, start, rows)
            gather_answers(
                m, y, labelled, labels, targets, target_at, classes, weights, weight_at, order, start, rows
            )
            cuda.syncthreads()
            total = _total_weight(m, weight_at, rows, room)
            weight = total
            for at in range(0, lines * LINE, LINE):
                code = table[at]
                if code < FIRST_NORM:
                    dense_line(m, table, at, rows)
                elif code < FIRST_ACTIVATION:
                    norm_line(m, counts, table, at, weight_at, total, rows, room)
                elif code < FIRST_LOSS:
                    activation_line(m, table, at, rows)
                elif code < FIRST_GRADIENT:
                    loss, weight, right = _loss(m, table, at, labels, target_at, weight_at, total, rows, room)
                    if t == 0:
                        results[step], results[steps + step], results[2 * steps + step] = loss, weight, right
                    if trains and not finite(loss):
                        failed = step
                elif code < SGD:
                    _loss_gradient(m, table, at, labels, target_at, weight_at, weight, rows)
                elif failed < 0:
                    rate = rates[step] if rated else m[table[at + SCALARS]]
                    _update(m, table, at, rate, counts)
                cuda.syncthreads()
            if written:
                for p in range(t, rows * classes, threads):
                    out[start * classes + p] = m[output + p]
            if trains and failed < 0 and t == 0:
                counts[0] += 1
            start, step = stop, step + 1
            cuda.syncthreads()
        if t == 0:
            state[0] = failed

    return play_on_one_block


class PersistentExecutor:
    """Plays a range of lines inside one kernel.

    Parameters
    ----------
    program : CudaProgram
    lines : ndarray of int64, shape (lines, fields)
    """

    def __init__(self, program, lines):
        self._program, self._count = program, len(lines)
        self._trains = bool(lines[-1, 0] >= SGD)
        self._table = to_device(program.memory.table(lines), program.stream)

    def play(self, batches, results, output, out, written):
        """Play the lines over all batches.

        Parameters
        ----------
        batches : Batches
        results : device array of float32, shape (3 * steps,)
            Outputs: mean loss, what it divides by, and rows right of every batch.
        output : int
            Where the network's output begins in the arena.
        out : device array of float32
            Output of the network, where ``written``.
        written : bool
        """
        p, b = self._program, batches
        numbers = map(
            np.int32, (b.features, b.rows, b.epoch, b.size, b.joins, self._trains, b.rated, b.steps)
        )
        features, rows, epoch, size, joins, trains, rated, steps = numbers
        ready(make_play(THREADS), 1, THREADS, p.stream)(
            p.memory.values, p.memory.counts, self._table, np.int32(self._count), np.int32(b.weight_at),
            np.int32(b.target_at), b.x, features, b.labels, np.int32(b.labelled), p.labels, b.targets, b.weights, b.order, rows, epoch, size,
            joins, trains, b.rates, rated, results, steps, np.int32(output), out, np.int32(p.model.out_features),
            np.int32(written), p.state,
        )  # fmt: skip
