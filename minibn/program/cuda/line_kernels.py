"""What a step needs besides the kernels of its layers, each one launch: gathering, tracking, losses, updates.

``clock`` holds where the batch begins, the number of the step, and the first step that failed, or -1; ``sums`` what
the batch's rows weigh, and what its loss divides by. They lie on the device, so that the launches of one step serve
every step. From the step behind a failed one on, updates and running statistics stand still.
"""

import functools

import numpy as np

from minibn.kernels.cuda.target import SIMULATED, cuda, kernel
from minibn.program.cuda.block_lines import gather_answers, gather_rows
from minibn.program.cuda.block_losses import (
    block_cross_entropy,
    block_squared_error,
    cross_entropy_backward_entries,
    squared_error_backward_entries,
)
from minibn.program.cuda.block_norm import block_norm_backward, block_statistics, block_track
from minibn.program.cuda.block_sums import ZERO, block_total, finite
from minibn.program.cuda.updates import adam_entries, sgd_entries

THREADS = 16 if SIMULATED else 256
"""Threads of a block, a power of two."""

START, STEP, FAILED = 0, 1, 2
TOTAL, WEIGHT = 0, 1


@functools.cache
def make_gather(threads):
    """Return the kernel that copies the rows of a batch, their labels, targets and weights."""

    @kernel(threads)
    def gather_batch(
        m, at, x, features, y, labelled, labels, targets, target_at, classes, weights, weight_at, order, clock, sums, rows
    ):  # fmt: skip
        start = clock[START]
        gather_rows(m, at, x, features, order, start, rows)
        gather_answers(
            m, y, labelled, labels, targets, target_at, classes, weights, weight_at, order, start, rows
        )
        if cuda.grid(1) == 0:
            sums[TOTAL] = np.float32(rows)

    return gather_batch


@functools.cache
def make_weigh(threads):
    """Return the kernel, of one block, that adds up the weights of a batch."""

    @kernel(threads)
    def weigh_batch(m, weight_at, sums, rows):
        room, weight = cuda.shared.array(threads, np.float32), ZERO
        for i in range(cuda.threadIdx.x, rows, threads):
            weight += m[weight_at + i]
        weight = block_total(weight, room)
        if cuda.threadIdx.x == 0:
            sums[TOTAL] = weight

    return weigh_batch


@functools.cache
def make_weighted_statistics(threads):
    """Return the kernel, of one block, behind the statistics of rows that have weights."""

    @kernel(threads)
    def weighted_statistics(m, x, mean, var, weight_at, sums, rows, columns):
        room = cuda.shared.array(threads, np.float32)
        block_statistics(m, x, mean, var, weight_at, sums[TOTAL], rows, columns, room)

    return weighted_statistics


@functools.cache
def make_weighted_norm_backward(threads):
    """Return the kernel, of one block, behind the gradients of a batch norm of rows that have weights."""

    @kernel(threads)
    def weighted_norm_backward(
        m, dy, x, gamma, mean, var, scalars, dx, dgamma, dbeta, weight_at, sums, rows, columns
    ):
        room = cuda.shared.array(threads, np.float32)
        block_norm_backward(
            m, dy, x, gamma, gamma, mean, var, m[scalars], False, dx, dgamma, dbeta, weight_at, sums[TOTAL], rows,
            columns, room,
        )  # fmt: skip

    return weighted_norm_backward


@functools.cache
def make_track(threads):
    """Return the kernel, of one block, that moves running statistics."""

    @kernel(threads)
    def track(m, running_mean, running_var, mean, var, scalars, counts, counter, clock, sums, columns):
        if clock[FAILED] < 0:
            block_track(
                m, running_mean, running_var, mean, var, scalars, counts, counter, sums[TOTAL], columns
            )

    return track


@functools.cache
def make_cross_entropy(threads):
    """Return the kernel, of one block, behind the cross entropy of a batch."""

    @kernel(threads)
    def cross_entropy(
        m, x, y, labels, class_weight, weight_at, results, steps, clock, sums, trains, rows, columns
    ):
        room = cuda.shared.array(threads, np.float32)
        step = clock[STEP]
        loss, weight, right = block_cross_entropy(
            m, x, y, labels, class_weight, weight_at, rows, columns, room
        )
        if cuda.threadIdx.x == 0:
            results[step], results[steps + step], results[2 * steps + step] = loss, weight, right
            sums[WEIGHT] = weight
            if trains and clock[FAILED] < 0 and not finite(loss):
                clock[FAILED] = step

    return cross_entropy


@functools.cache
def make_squared_error(threads):
    """Return the kernel, of one block, behind the squared error of a batch."""

    @kernel(threads)
    def squared_error(m, x, target, weight_at, results, steps, clock, sums, trains, rows, columns):
        room = cuda.shared.array(threads, np.float32)
        step = clock[STEP]
        loss = block_squared_error(m, x, target, weight_at, sums[TOTAL], rows, columns, room)
        if cuda.threadIdx.x == 0:
            results[step], results[steps + step] = loss, sums[TOTAL]
            if trains and clock[FAILED] < 0 and not finite(loss):
                clock[FAILED] = step

    return squared_error


@functools.cache
def make_cross_entropy_backward(threads):
    """Return the kernel behind the gradient of the cross entropy."""

    @kernel(threads)
    def cross_entropy_backward(m, y, dx, labels, class_weight, weight_at, sums, rows, columns):
        cross_entropy_backward_entries(m, y, dx, labels, class_weight, weight_at, sums[WEIGHT], rows, columns)

    return cross_entropy_backward


@functools.cache
def make_squared_error_backward(threads):
    """Return the kernel behind the gradient of the squared error."""

    @kernel(threads)
    def squared_error_backward(m, x, target, dx, weight_at, sums, rows, columns):
        squared_error_backward_entries(m, x, target, dx, weight_at, sums[TOTAL], rows, columns)

    return squared_error_backward


@functools.cache
def make_sgd(threads):
    """Return the kernel behind an update by SGD."""

    @kernel(threads)
    def sgd_update(m, param, grad, velocity, scalars, rates, rated, clock, size):
        if clock[FAILED] < 0:
            rate = rates[clock[STEP]] if rated else m[scalars]
            sgd_entries(m, param, grad, velocity, scalars, rate, size)

    return sgd_update


@functools.cache
def make_adam(threads):
    """Return the kernel behind an update by Adam."""

    @kernel(threads)
    def adam_update(m, param, grad, first, second, scalars, rates, rated, counts, clock, size):
        if clock[FAILED] < 0:
            rate = rates[clock[STEP]] if rated else m[scalars]
            adam_entries(m, param, grad, first, second, scalars, rate, np.float32(counts[0] + 1), size)

    return adam_update


@functools.cache
def make_write(threads):
    """Return the kernel that copies the network's output of a batch to where that of all rows is collected."""

    @kernel(threads)
    def write_output(m, output, out, classes, clock, rows):
        for p in range(cuda.grid(1), rows * classes, cuda.gridsize(1)):
            out[clock[START] * classes + p] = m[output + p]

    return write_output


@functools.cache
def make_advance():
    """Return the kernel, of one thread, that goes on to the next batch."""

    @kernel(1)
    def advance(clock, counts, trains, rows):
        if trains and clock[FAILED] < 0:
            counts[0] += 1
        clock[START] += rows
        clock[STEP] += 1

    return advance
