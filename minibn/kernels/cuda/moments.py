"""Mean and variance of every channel in one launch, in float32 and exact at any mean.

What is summed are differences from the channel's first value: near it they are exact. Each thread takes a few steps
at a time, forms their mean and squared deviations in registers, and merges these by Chan, so that an outlying first
value does no harm. The mean is kept as two float32 numbers whose sum it is: the second pass subtracts the first,
exactly, and folds the second into its offset.
"""

import functools

import numpy as np
from numba import float32, int32

from minibn.kernels.cuda.positions import UNROLL, make_positions
from minibn.kernels.cuda.reduction import ONE, ZERO, make_arrival, make_moment_merge
from minibn.kernels.cuda.target import cuda, device_function, kernel
from minibn.kernels.cuda.vectors import make_fresh, make_vectors


@functools.cache
def make_accumulate(width, planes):
    """Return ``accumulate``: the moments of a thread's own steps, lane by lane."""
    load, _ = make_vectors(width)
    _, address = make_positions(width, planes)
    share, unrolled = np.float32(1 / UNROLL), np.float32(UNROLL)

    @device_function
    def accumulate(x, first, stride, steps, c, channels, length, shift, buffer, mean, square):
        """Return the number of steps taken; each lane has seen as many values."""
        chunks = ZERO
        step = first
        while step + (UNROLL - 1) * stride < steps:
            for u in range(UNROLL):
                load(x, address(step + u * stride, c, channels, length), buffer, u * width)
            inverse = ONE / (chunks + ONE)
            weight = unrolled * chunks * inverse
            for j in range(width):
                total = ZERO
                for u in range(UNROLL):
                    buffer[u * width + j] -= shift[j]
                    total += buffer[u * width + j]
                center = total * share
                spread = ZERO
                for u in range(UNROLL):
                    gap = buffer[u * width + j] - center
                    spread += gap * gap
                gap = center - mean[j]
                mean[j] += gap * inverse
                square[j] += spread + gap * gap * weight
            chunks += ONE
            step += UNROLL * stride
        count = chunks * unrolled
        while step < steps:
            load(x, address(step, c, channels, length), buffer, 0)
            inverse = ONE / (count + ONE)
            for j in range(width):
                gap = (buffer[j] - shift[j]) - mean[j]
                mean[j] += gap * inverse
                square[j] += gap * gap * (count * inverse)
            count += ONE
            step += stride
        return count

    return accumulate


@functools.cache
def make_fold(width, planes):
    """Return ``fold_lanes``: where all lanes belong to one channel, merge them into lane 0; return the count."""
    share, lanes = np.float32(1 / width), np.float32(width)

    @device_function
    def fold_lanes(count, mean, square):
        if planes and width > 1:
            total = ZERO
            for j in range(width):
                total += mean[j]
            center = total * share
            spread, within = ZERO, ZERO
            for j in range(width):
                gap = mean[j] - center
                spread += gap * gap
                within += square[j]
            mean[0] = center
            square[0] = within + count * spread
            return count * lanes
        return count

    return fold_lanes


@functools.cache
def make_partial_merge(width, planes):
    """Return ``merge_partials``: the moments of the slabs row, row + rows, ..., as their blocks wrote them."""
    fresh = make_fresh()
    lanes, values = (1, np.float32(width)) if planes else (width, ONE)

    @device_function
    def merge_partials(partials, steps, slabs, row, rows, c, channels, mean, square):
        for j in range(lanes):
            mean[j] = ZERO
            square[j] = ZERO
        count = ZERO
        whole = steps // (slabs * rows)
        rest = steps - whole * (slabs * rows)
        for slab in range(row, slabs, rows):
            extra = min(max(rest - slab * rows, 0), rows)
            more = np.float32(whole * rows + extra) * values
            if more > ZERO:
                weight = more / (count + more)
                for j in range(lanes):
                    gap = fresh(partials, slab * channels + c + j) - mean[j]
                    mean[j] += gap * weight
                    spread = fresh(partials, (slabs + slab) * channels + c + j)
                    square[j] += spread + gap * gap * (count * weight)
                count += more
        return count

    return merge_partials


@functools.cache
def make_split_sum():
    """Return ``split_sum(a, b, out, at, gap)``: a + b as a float32 number and what its rounding left out.

    Knuth 1998, The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
    """

    @device_function
    def split_sum(a, b, out, at, gap):
        total = a + b
        moved = total - a
        out[at] = total
        out[at + gap] = (a - (total - moved)) + (b - moved)

    return split_sum


@functools.cache
def make_moments(width, planes, threads):
    """Return the kernel that writes mean, shape (2, C), and biased variance, shape (C,)."""
    lanes = 1 if planes else width
    shared, held = threads * lanes, UNROLL * width
    load, _ = make_vectors(width)
    channel, address = make_positions(width, planes)
    accumulate, fold_lanes = make_accumulate(width, planes), make_fold(width, planes)
    merge_partials, merge_rows = make_partial_merge(width, planes), make_moment_merge(lanes)
    last_to_arrive, split_sum = make_arrival(), make_split_sum()

    @kernel(threads)
    def batch_moments(x, steps, channels, length, columns, rows, partials, arrivals, mean, var):
        counts = cuda.shared.array(threads, float32)
        means = cuda.shared.array(shared, float32)
        squares = cuda.shared.array(shared, float32)
        flag = cuda.shared.array(1, int32)
        buffer = cuda.local.array(held, float32)
        shift = cuda.local.array(width, float32)
        center = cuda.local.array(width, float32)
        square = cuda.local.array(width, float32)
        row = cuda.threadIdx.x // columns
        c = channel(cuda.threadIdx.x - row * columns, columns)
        slab = cuda.blockIdx.y
        slabs = cuda.gridDim.y
        inside = row < rows and c < channels
        for j in range(width):
            shift[j] = ZERO
            center[j] = ZERO
            square[j] = ZERO
        count = ZERO
        if inside:
            load(x, address(0, c, channels, length), shift, 0)
            if planes:
                for j in range(1, width):
                    shift[j] = shift[0]
            count = accumulate(
                x, slab * rows + row, slabs * rows, steps, c, channels, length, shift, buffer, center, square
            )
            count = fold_lanes(count, center, square)
        count = merge_rows(row, rows, columns, count, center, square, counts, means, squares)
        last = True
        if slabs > 1:
            if inside and row == 0:
                for j in range(lanes):
                    partials[slab * channels + c + j] = center[j]
                    partials[(slabs + slab) * channels + c + j] = square[j]
            last = last_to_arrive(arrivals, cuda.blockIdx.x, slabs, flag)
            if last:
                count = ZERO
                if inside:
                    count = merge_partials(partials, steps, slabs, row, rows, c, channels, center, square)
                count = merge_rows(row, rows, columns, count, center, square, counts, means, squares)
        if last and inside and row == 0:
            for j in range(lanes):
                split_sum(shift[j], center[j], mean, c + j, channels)
                var[c + j] = square[j] / count

    return batch_moments
