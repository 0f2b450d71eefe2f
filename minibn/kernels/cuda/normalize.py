"""The second pass of batch norm: one multiplication and one addition per value, from the last step to the first.

What the pass over the statistics read last is still in the second-level cache when this one begins with it.
"""

import functools

from numba import float32

from minibn.kernels.cuda.positions import UNROLL, make_positions
from minibn.kernels.cuda.reduction import ONE, ZERO
from minibn.kernels.cuda.target import cuda, device_function, kernel
from minibn.kernels.cuda.vectors import make_vectors


@functools.cache
def make_factors():
    """Return ``inverse(var, eps)`` = 1 / sqrt(var + eps), 0 for a variance and an eps of 0."""
    import math

    @device_function
    def inverse(var, eps):
        total = var + eps
        return ONE / math.sqrt(total) if total != ZERO else ZERO

    return inverse


@functools.cache
def make_affine(planes):
    """Return ``affine``, which writes factors such that fma(x - center, scale, offset) = y.

    ``center`` is the mean rounded to float32, so that subtracting it from nearby values is exact; what the rounding
    left out goes into ``offset``.
    """
    inverse = make_factors()

    @device_function
    def affine(gamma, beta, mean, var, eps, c, channels, lanes, center, scale, offset):
        for j in range(lanes):
            factor = gamma[c + j] * inverse(var[c + j], eps)
            center[j] = mean[c + j]
            scale[j] = factor
            offset[j] = beta[c + j] - mean[channels + c + j] * factor

    return affine


@functools.cache
def make_normalize(width, planes, threads, relu):
    """Return the kernel that writes gamma * (x - mean) / sqrt(var + eps) + beta, or its ReLU; NaN stays NaN."""
    lanes = 1 if planes else width
    spread, held = 0 if planes else 1, UNROLL * width
    load, store = make_vectors(width)
    channel, address = make_positions(width, planes)
    affine = make_affine(planes)

    @device_function
    def transform(buffer, at, center, scale, offset):
        for j in range(width):
            value = cuda.fma(buffer[at + j] - center[j * spread], scale[j * spread], offset[j * spread])
            if relu and value <= ZERO:
                value = ZERO
            buffer[at + j] = value

    @kernel(threads)
    def normalize(x, steps, channels, length, columns, rows, gamma, beta, mean, var, eps, y):
        buffer = cuda.local.array(held, float32)
        center = cuda.local.array(lanes, float32)
        scale = cuda.local.array(lanes, float32)
        offset = cuda.local.array(lanes, float32)
        row = cuda.threadIdx.x // columns
        c = channel(cuda.threadIdx.x - row * columns, columns)
        first = cuda.blockIdx.y * rows + row
        stride = cuda.gridDim.y * rows
        if row < rows and c < channels and first < steps:
            affine(gamma, beta, mean, var, eps, c, channels, lanes, center, scale, offset)
            step = first + (steps - 1 - first) // stride * stride
            while step - (UNROLL - 1) * stride >= 0:
                for u in range(UNROLL):
                    load(x, address(step - u * stride, c, channels, length), buffer, u * width)
                for u in range(UNROLL):
                    transform(buffer, u * width, center, scale, offset)
                for u in range(UNROLL):
                    store(y, address(step - u * stride, c, channels, length), buffer, u * width)
                step -= UNROLL * stride
            while step >= 0:
                load(x, address(step, c, channels, length), buffer, 0)
                transform(buffer, 0, center, scale, offset)
                store(y, address(step, c, channels, length), buffer, 0)
                step -= stride

    return normalize
