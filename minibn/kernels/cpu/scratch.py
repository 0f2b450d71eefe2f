"""Small scratch arrays on the stack, so that kernels need no heap; and arrays seen as vectors."""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from minibn.kernels.cpu.lanes import LINE, keep_rolled

TILE = 512
"""Entries of a scratch array."""


def _vector(context, builder, dtype, data, size):
    """Return a C-contiguous array of one dimension on memory that it does not own."""
    item = context.get_constant(types.intp, dtype.bitwidth // 8)
    array = make_array(types.Array(dtype, 1, "C"))(context, builder)
    populate_array(array, data, [size], [item], item, None)
    return array._getvalue()


@intrinsic
def _scratch_like(typing_context, array):
    def codegen(context, builder, signature, arguments):
        element = context.get_value_type(array.dtype)
        block = cgutils.alloca_once(builder, ir.ArrayType(element, TILE))
        block.align = LINE
        size = context.get_constant(types.intp, TILE)
        return _vector(context, builder, array.dtype, builder.bitcast(block, element.as_pointer()), size)

    return types.Array(array.dtype, 1, "C")(array), codegen


def _plain_scratch_like(array):
    """Return ``TILE`` uninitialised numbers of the array's dtype, valid until the calling kernel returns.

    Inside compiled code the numbers live in the stack frame of the caller; in plain Python they are an
    ordinary array.
    """
    return np.empty(TILE, array.dtype)


@intrinsic
def _flat(typing_context, array):
    def codegen(context, builder, signature, arguments):
        source = make_array(array)(context, builder, arguments[0])
        return _vector(context, builder, array.dtype, source.data, source.nitems)

    return types.Array(array.dtype, 1, "C")(array), codegen


def _plain_flat(array):
    """Return a C-contiguous array as a vector on the same memory."""
    return array.reshape(-1)


@intrinsic
def _rolled(typing_context):
    def codegen(context, builder, signature, arguments):
        keep_rolled(builder)
        return context.get_dummy_value()

    return types.void(), codegen


def _plain_rolled():
    """Keep the loop around this call as it is written: short loops gain nothing from unrolling."""


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
scratch_like = _plain_scratch_like if _PLAIN else _scratch_like
flat = _plain_flat if _PLAIN else _flat
rolled = _plain_rolled if _PLAIN else _rolled
