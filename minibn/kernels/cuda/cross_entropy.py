"""Kernels of the losses: rows in threads, threads over the block, blocks by the last one to arrive.

A row of logits is taken by a few neighbouring threads, a power of two of them.
"""

import functools
import math

import numpy as np
from numba import float32, int32

from minibn.kernels.cuda.reduction import ONE, ZERO, make_block_sums
from minibn.kernels.cuda.target import cuda, device_function, kernel


@functools.cache
def make_row_tree(adds):
    """Return ``over_row``: sum or maximum over the threads of each row, the same answer for all of them."""

    @device_function
    def over_row(value, inside, column, columns, shared):
        thread = cuda.threadIdx.x
        shared[thread] = value
        cuda.syncthreads()
        half = columns // 2
        while half > 0:
            if inside and column < half:
                other = shared[thread + half]
                shared[thread] = shared[thread] + other if adds else max(shared[thread], other)
            cuda.syncthreads()
            half //= 2
        result = shared[thread - column]
        cuda.syncthreads()
        return result

    return over_row


@functools.cache
def make_ratio(threads):
    """Return ``ratio``, which writes the sum of all threads' a over that of their b to ``out``."""
    add_blocks = make_block_sums(1)

    @device_function
    def ratio(a, b, shared_a, shared_b, flag, partials, arrivals, out):
        thread = cuda.threadIdx.x
        last = add_blocks(
            thread, threads, 1, True, 0, 1, cuda.blockIdx.x, cuda.gridDim.x, 0, a, b,
            shared_a, shared_b, flag, partials, arrivals,
        )  # fmt: skip
        if last and thread == 0:
            out[0] = a[0] / b[0]

    return ratio


@functools.cache
def make_cross_entropy(threads, weighted):
    """Return the kernel that writes the softmax of each row and the mean cross entropy."""
    highest, total = make_row_tree(False), make_row_tree(True)
    ratio = make_ratio(threads)

    @kernel(threads)
    def cross_entropy(
        logits, labels, class_weight, samples, classes, columns, partials, arrivals, probabilities, loss
    ):
        shared = cuda.shared.array(threads, float32)
        shared_weights = cuda.shared.array(threads, float32)
        flag = cuda.shared.array(1, int32)
        sums = cuda.local.array(1, float32)
        weights = cuda.local.array(1, float32)
        sums[0] = ZERO
        weights[0] = ZERO
        row = cuda.threadIdx.x // columns
        column = cuda.threadIdx.x - row * columns
        rows = threads // columns
        for group in range(cuda.blockIdx.x, (samples + rows - 1) // rows, cuda.gridDim.x):
            sample = group * rows + row
            inside = row < rows and sample < samples
            begin = np.int64(sample) * classes
            top = -np.float32(math.inf)
            if inside:
                for k in range(column, classes, columns):
                    top = max(top, logits[begin + k])
            top = highest(top, row < rows, column, columns, shared)
            power = ZERO
            if inside:
                for k in range(column, classes, columns):
                    value = np.float32(math.exp(logits[begin + k] - top))
                    probabilities[begin + k] = value
                    power += value
            power = total(power, row < rows, column, columns, shared)
            if inside:
                inverse = ONE / power
                for k in range(column, classes, columns):
                    probabilities[begin + k] *= inverse
                if column == 0:
                    label = labels[sample]
                    weight = class_weight[label] if weighted else ONE
                    gap = top - logits[begin + label]
                    sums[0] += weight * (np.float32(math.log(power)) + gap)
                    weights[0] += weight
        ratio(sums, weights, shared, shared_weights, flag, partials, arrivals, loss)

    return cross_entropy


@functools.cache
def make_cross_entropy_gradient(threads, weighted):
    """Return the kernel that writes weight * (probabilities - one hot) * share, or over the sum of weights."""

    @kernel(threads)
    def cross_entropy_gradient(
        probabilities, labels, class_weight, total, samples, classes, columns, dlogits
    ):
        row = cuda.threadIdx.x // columns
        column = cuda.threadIdx.x - row * columns
        rows = threads // columns
        share = ONE / (total[0] if weighted else np.float32(samples))
        for group in range(cuda.blockIdx.x, (samples + rows - 1) // rows, cuda.gridDim.x):
            sample = group * rows + row
            if row < rows and sample < samples:
                begin = np.int64(sample) * classes
                label = labels[sample]
                factor = class_weight[label] * share if weighted else share
                for k in range(column, classes, columns):
                    value = probabilities[begin + k]
                    dlogits[begin + k] = (value - ONE if k == label else value) * factor

    return cross_entropy_gradient


@functools.cache
def make_total_weight(threads):
    """Return the kernel that writes the sum of the weights of all rows."""
    ratio = make_ratio(threads)

    @kernel(threads)
    def total_weight(labels, class_weight, samples, partials, arrivals, total):
        shared = cuda.shared.array(threads, float32)
        shared_ones = cuda.shared.array(threads, float32)
        flag = cuda.shared.array(1, int32)
        sums = cuda.local.array(1, float32)
        ones = cuda.local.array(1, float32)
        sums[0] = ZERO
        ones[0] = ONE if cuda.grid(1) == 0 else ZERO
        for sample in range(cuda.grid(1), samples, cuda.gridsize(1)):
            sums[0] += class_weight[labels[sample]]
        ratio(sums, ones, shared, shared_ones, flag, partials, arrivals, total)

    return total_weight


@functools.cache
def make_squared_error(threads):
    """Return the kernel that writes the mean of (prediction - target) ** 2."""
    ratio = make_ratio(threads)

    @kernel(threads)
    def squared_error(prediction, target, size, partials, arrivals, loss):
        shared = cuda.shared.array(threads, float32)
        shared_counts = cuda.shared.array(threads, float32)
        flag = cuda.shared.array(1, int32)
        sums = cuda.local.array(1, float32)
        counts = cuda.local.array(1, float32)
        sums[0] = ZERO
        counts[0] = ZERO
        for i in range(cuda.grid(1), size, cuda.gridsize(1)):
            difference = prediction[i] - target[i]
            sums[0] += difference * difference
            counts[0] += ONE
        ratio(sums, counts, shared, shared_counts, flag, partials, arrivals, loss)

    return squared_error


@functools.cache
def make_squared_error_gradient(threads):
    """Return the kernel that writes (prediction - target) * factor."""

    @kernel(threads)
    def squared_error_gradient(prediction, target, size, factor, dprediction):
        for i in range(cuda.grid(1), size, cuda.gridsize(1)):
            dprediction[i] = (prediction[i] - target[i]) * factor

    return squared_error_gradient
