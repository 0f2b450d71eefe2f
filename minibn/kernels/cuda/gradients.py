"""The two passes of batch norm's gradient: the sums over dy and dy * x, then dx from the last step to the first.

With a ReLU behind it the mask is recomputed from x, which both passes read anyway.
"""

import functools

import numpy as np
from numba import float32, int32

from minibn.kernels.cuda.normalize import make_affine, make_factors
from minibn.kernels.cuda.positions import UNROLL, make_positions
from minibn.kernels.cuda.reduction import ONE, ZERO, make_block_sums
from minibn.kernels.cuda.target import cuda, device_function, kernel
from minibn.kernels.cuda.vectors import make_vectors

TWO = np.float32(2)


@functools.cache
def make_mask(spread, relu):
    """Return ``upstream(dy, difference, scale, offset, lane)``: dy, or 0 where the ReLU was closed."""

    @device_function
    def upstream(dy, difference, scale, offset, lane):
        if relu and cuda.fma(difference, scale[lane * spread], offset[lane * spread]) <= ZERO:
            return ZERO
        return dy

    return upstream


@functools.cache
def make_add_products(width, planes, relu):
    """Return ``add_products``: add a step's dy and dy * (x - center) to a thread's sums."""
    spread = 0 if planes else 1
    upstream = make_mask(spread, relu)

    @device_function
    def add_products(gradients, values, at, center, scale, offset, sums, products):
        for j in range(width):
            difference = values[at + j] - center[j * spread]
            gradient = upstream(gradients[at + j], difference, scale, offset, j)
            sums[j * spread] += gradient
            products[j * spread] += gradient * difference

    return add_products


@functools.cache
def make_products(width, planes, threads, relu):
    """Return the kernel that writes dgamma and dbeta."""
    lanes = 1 if planes else width
    shared, held = threads * lanes, UNROLL * width
    load, _ = make_vectors(width)
    channel, address = make_positions(width, planes)
    affine, inverse = make_affine(planes), make_factors()
    add_products, add_blocks = make_add_products(width, planes, relu), make_block_sums(lanes)

    @kernel(threads)
    def sum_products(
        dy, x, steps, channels, length, columns, rows, gamma, beta, mean, var, eps, partials, arrivals, dgamma, dbeta
    ):  # fmt: skip
        shared_sums = cuda.shared.array(shared, float32)
        shared_products = cuda.shared.array(shared, float32)
        flag = cuda.shared.array(1, int32)
        values = cuda.local.array(held, float32)
        gradients = cuda.local.array(held, float32)
        center = cuda.local.array(lanes, float32)
        scale = cuda.local.array(lanes, float32)
        offset = cuda.local.array(lanes, float32)
        sums = cuda.local.array(lanes, float32)
        products = cuda.local.array(lanes, float32)
        row = cuda.threadIdx.x // columns
        c = channel(cuda.threadIdx.x - row * columns, columns)
        slab = cuda.blockIdx.y
        slabs = cuda.gridDim.y
        inside = row < rows and c < channels
        for j in range(lanes):
            sums[j] = ZERO
            products[j] = ZERO
        if inside:
            affine(gamma, beta, mean, var, eps, c, channels, lanes, center, scale, offset)
            stride = slabs * rows
            step = slab * rows + row
            while step + (UNROLL - 1) * stride < steps:
                for u in range(UNROLL):
                    at = address(step + u * stride, c, channels, length)
                    load(x, at, values, u * width)
                    load(dy, at, gradients, u * width)
                for u in range(UNROLL):
                    add_products(gradients, values, u * width, center, scale, offset, sums, products)
                step += UNROLL * stride
            while step < steps:
                at = address(step, c, channels, length)
                load(x, at, values, 0)
                load(dy, at, gradients, 0)
                add_products(gradients, values, 0, center, scale, offset, sums, products)
                step += stride
        last = add_blocks(
            row, rows, columns, inside, c, channels, slab, slabs, cuda.blockIdx.x, sums, products,
            shared_sums, shared_products, flag, partials, arrivals,
        )  # fmt: skip
        if last and inside and row == 0:
            for j in range(lanes):
                dbeta[c + j] = sums[j]
                rest = products[j] - mean[channels + c + j] * sums[j]
                dgamma[c + j] = rest * inverse(var[c + j], eps)

    return sum_products


@functools.cache
def make_tilt(planes):
    """Return ``tilt``, which writes factors such that dx = (dy - level + (x - center) * slope) * scale.

    Of two values per channel the terms cancel but for eps / (var + eps) of them, which stands here in their place.
    """
    inverse = make_factors()

    @device_function
    def tilt(mean, var, eps, dgamma, dbeta, values, c, channels, lanes, scale, level, slope, tilted):
        share = ONE / values
        for j in range(lanes):
            root = inverse(var[c + j], eps)
            slope[j] = -(dgamma[c + j] * root) * share
            level[j] = dbeta[c + j] * share + mean[channels + c + j] * slope[j]
            tilted[j] = scale[j]
            if values == TWO:
                slope[j] = ZERO
                level[j] = dbeta[c + j] * share
                tilted[j] = scale[j] * (eps * root * root)

    return tilt


@functools.cache
def make_differentiate(width, planes, threads, relu):
    """Return the kernel that writes dx."""
    lanes = 1 if planes else width
    spread, held = 0 if planes else 1, UNROLL * width
    load, store = make_vectors(width)
    channel, address = make_positions(width, planes)
    affine, tilt, upstream = make_affine(planes), make_tilt(planes), make_mask(spread, relu)
    values_of_step = np.float32(width if planes else 1)

    @device_function
    def transform(gradients, values, at, center, scale, offset, level, slope, tilted):
        for j in range(width):
            difference = values[at + j] - center[j * spread]
            gradient = upstream(gradients[at + j], difference, scale, offset, j)
            gradients[at + j] = tilted[j * spread] * cuda.fma(
                difference, slope[j * spread], gradient - level[j * spread]
            )

    @kernel(threads)
    def differentiate(
        dy, x, steps, channels, length, columns, rows, gamma, beta, mean, var, eps, dgamma, dbeta, dx
    ):  # fmt: skip
        values = cuda.local.array(held, float32)
        gradients = cuda.local.array(held, float32)
        center = cuda.local.array(lanes, float32)
        scale = cuda.local.array(lanes, float32)
        offset = cuda.local.array(lanes, float32)
        level = cuda.local.array(lanes, float32)
        slope = cuda.local.array(lanes, float32)
        tilted = cuda.local.array(lanes, float32)
        row = cuda.threadIdx.x // columns
        c = channel(cuda.threadIdx.x - row * columns, columns)
        first = cuda.blockIdx.y * rows + row
        stride = cuda.gridDim.y * rows
        if row < rows and c < channels and first < steps:
            n = np.float32(steps) * values_of_step
            affine(gamma, beta, mean, var, eps, c, channels, lanes, center, scale, offset)
            tilt(mean, var, eps, dgamma, dbeta, n, c, channels, lanes, scale, level, slope, tilted)
            step = first + (steps - 1 - first) // stride * stride
            while step - (UNROLL - 1) * stride >= 0:
                for u in range(UNROLL):
                    at = address(step - u * stride, c, channels, length)
                    load(x, at, values, u * width)
                    load(dy, at, gradients, u * width)
                for u in range(UNROLL):
                    transform(gradients, values, u * width, center, scale, offset, level, slope, tilted)
                for u in range(UNROLL):
                    store(dx, address(step - u * stride, c, channels, length), gradients, u * width)
                step -= UNROLL * stride
            while step >= 0:
                at = address(step, c, channels, length)
                load(x, at, values, 0)
                load(dy, at, gradients, 0)
                transform(gradients, values, 0, center, scale, offset, level, slope, tilted)
                store(dx, at, gradients, 0)
                step -= stride

    return differentiate
