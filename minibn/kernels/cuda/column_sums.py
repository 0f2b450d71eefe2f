"""Sums of the columns of a matrix: the gradient of a bias."""

import functools

from numba import float32, int32

from minibn.kernels.cuda.arrays import aligned, device_array, flat
from minibn.kernels.cuda.positions import make_positions, positions_of
from minibn.kernels.cuda.reduction import ZERO, make_block_sums
from minibn.kernels.cuda.target import cuda, kernel
from minibn.kernels.cuda.vectors import make_vectors
from minibn.kernels.cuda.workspace import room_for


@functools.cache
def make_column_sums(width, planes, threads):
    """Return the kernel that writes the sum of every column of an (N, C) array."""
    shared = threads * width
    load, _ = make_vectors(width)
    channel, address = make_positions(width, planes)
    add_blocks = make_block_sums(width)

    @kernel(threads)
    def column_sums(x, steps, channels, length, columns, rows, partials, arrivals, out):
        shared_sums = cuda.shared.array(shared, float32)
        shared_rests = cuda.shared.array(shared, float32)
        flag = cuda.shared.array(1, int32)
        buffer = cuda.local.array(width, float32)
        sums = cuda.local.array(width, float32)
        rests = cuda.local.array(width, float32)  # the second of two sums, of which there is only one here
        row = cuda.threadIdx.x // columns
        c = channel(cuda.threadIdx.x - row * columns, columns)
        slab = cuda.blockIdx.y
        slabs = cuda.gridDim.y
        inside = row < rows and c < channels
        for j in range(width):
            sums[j] = ZERO
            rests[j] = ZERO
        if inside:
            for step in range(slab * rows + row, steps, slabs * rows):
                load(x, address(step, c, channels, length), buffer, 0)
                for j in range(width):
                    sums[j] += buffer[j]
        last = add_blocks(
            row, rows, columns, inside, c, channels, slab, slabs, cuda.blockIdx.x, sums, rests,
            shared_sums, shared_rests, flag, partials, arrivals,
        )  # fmt: skip
        if last and inside and row == 0:
            for j in range(width):
                out[c + j] = sums[j]

    return column_sums


def sum_columns(x, sums, stream, workspace):
    """Write the sum of each column of a device array of shape (N, C)."""
    x = device_array("dy", x)
    where = positions_of(x.shape, aligned(x))
    run = where.ready(make_column_sums, stream)
    run(flat("dy", x), *where.sizes, *room_for(where, stream, workspace), flat("dbias", sums))
