"""The dense layer by cuBLAS, where a library that is already installed brings it.

cuBLAS keeps matrices by columns. A C-contiguous (m, n) array is to it an (n, m) matrix, and y = a b is y' = b' a'.
Its default arithmetic is float32 throughout: no tensor cores round to tf32.
"""

import ctypes
import functools

import numpy as np

from minibn.errors import DeviceError
from minibn.kernels.cuda import positions
from minibn.kernels.cuda.arrays import flat, given
from minibn.kernels.cuda.column_sums import sum_columns
from minibn.kernels.cuda.elementwise import blocks_for, size_of
from minibn.kernels.cuda.target import address_of, cuda, kernel, load_library, ready, stream_address

_PLAIN, _TURNED = 0, 1


class CuBlas:
    """The few calls of cuBLAS that a dense layer takes.

    Parameters
    ----------
    library : ctypes.CDLL
    """

    def __init__(self, library):
        self._library, self._handle = library, ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self._handle))

    def _call(self, name, *arguments):
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise DeviceError(
                f"{name} of cuBLAS failed with status {status}; update the driver or the library"
            )

    def version(self):
        """Return the version as a number."""
        version = ctypes.c_int()
        self._call("cublasGetVersion_v2", self._handle, ctypes.byref(version))
        return version.value

    def multiply(self, turned, sizes, left, left_stride, right, right_stride, keep, out, out_stride, stream):
        """Queue out = left right + keep * out on a stream, all by columns, ``left`` and ``right`` turned or not."""
        one, old = ctypes.c_float(1), ctypes.c_float(keep)
        pointers = [ctypes.c_void_p(address_of(array)) for array in (left, right, out)]
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream_address(stream)))
        self._call(
            "cublasSgemm_v2", self._handle, *turned, *sizes, ctypes.byref(one), pointers[0], left_stride, pointers[1],
            right_stride, ctypes.byref(old), pointers[2], out_stride,
        )  # fmt: skip


@functools.cache
def library():
    """Return cuBLAS, or None where no library brings it, in the simulator, and without a device."""
    found = load_library("cublas")
    return None if found is None else CuBlas(found)


@functools.cache
def make_spread(threads):
    """Return the kernel that writes a row to every row."""

    @kernel(threads)
    def spread(row, size, columns, out):
        for i in range(cuda.grid(1), size, cuda.gridsize(1)):
            out[i] = row[i % columns]

    return spread


def _fill_rows(y, bias, stream):
    threads, size = positions.THREADS, size_of(y=y)
    ready(make_spread(threads), blocks_for(int(size), threads), threads, stream)(
        flat("bias", bias), size, np.int32(y.shape[1]), flat("y", y)
    )


def dense_forward_blas(x, weight, bias, y, *, stream=0):
    """Play :func:`minibn.kernels.cuda.dense.dense_forward` by cuBLAS."""
    (rows, inputs), outputs, based = x.shape, weight.shape[1], given(bias)
    if based:
        _fill_rows(y, bias, stream)
    sizes, operands = (outputs, rows, inputs), (flat("weight", weight), outputs, flat("x", x), inputs)
    library().multiply((_PLAIN, _PLAIN), sizes, *operands, float(based), flat("y", y), outputs, stream)


def dense_backward_blas(dy, x, weight, dx, dweight, dbias, *, stream=0, workspace=None):
    """Play :func:`minibn.kernels.cuda.dense.dense_backward` by cuBLAS."""
    (rows, inputs), outputs = x.shape, weight.shape[1]
    upstream, data, multiply = flat("dy", dy), flat("x", x), library().multiply
    sizes, operands = (outputs, inputs, rows), (upstream, outputs, data, inputs)
    multiply((_PLAIN, _TURNED), sizes, *operands, 0.0, flat("dweight", dweight), outputs, stream)
    if given(dx):
        sizes, operands = (inputs, rows, outputs), (flat("weight", weight), outputs, upstream, outputs)
        multiply((_TURNED, _PLAIN), sizes, *operands, 0.0, flat("dx", dx), inputs, stream)
    if given(dbias):
        sum_columns(dy, dbias, stream, workspace)


def dense_library():
    """Say in words what multiplies the matrices of dense layers here."""
    blas = library()
    return "kernels of minibn" if blas is None else f"cuBLAS {blas.version()}"
