"""Kernels that the check of machine code has to refuse: they show that it would."""

from builds import THREADS, A, Build
from numba import float32, int32

from minibn.kernels.cuda import matrix_product
from minibn.kernels.cuda.target import cuda, kernel


def make_float64():
    """A Python float and a division by an integer: both make float64 of float32."""

    @kernel(THREADS)
    def creeping(x, n, out):
        i = cuda.grid(1)
        if i < n:
            out[i] = x[i] * 2.5 + x[i] / n

    return creeping


def make_indexed():
    """An index that only the running program knows keeps an array out of the registers."""

    @kernel(THREADS)
    def indexed(x, n, out):
        room = cuda.local.array(32, float32)
        for i in range(32):
            room[i] = x[i]
        for i in range(n):
            room[(i * n) % 32] += x[i]
        for i in range(32):
            out[i] = room[i]

    return indexed


def bad_builds():
    """Return what must be refused, each with the fault that must be named."""
    crowded = matrix_product.LARGE, 4, True, False, False
    arguments = (A, A, A, *(int32,) * 4, A, int32[::1], A)
    return [
        (Build("float64", make_float64, (), (A, int32, A)), "float64"),
        (Build("run-time index", make_indexed, (), (A, int32, A)), "local memory"),
        (Build("too few registers", matrix_product.make_product, crowded, arguments, 1024), "spills"),
    ]
