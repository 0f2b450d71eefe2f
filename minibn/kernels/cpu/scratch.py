"""Small scratch arrays on the stack, so that kernels need no heap."""

import numpy as np
from llvmlite import ir
from numba import config, types
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


PANEL = 256
"""Rows of a panel: 64 bytes of each of so many rows of a matrix, side by side."""

_PANEL_SIZE = PANEL * 16


def _reserving(size):
    """Return an intrinsic that reserves numbers of an array's dtype in the stack frame of the calling function."""

    @intrinsic
    def reserve(typing_context, array):
        def codegen(context, builder, signature, arguments):
            element = context.get_value_type(array.dtype)
            # not cgutils.alloca_once: it also fills the block with zeros, one store for every number; a line at the
            # end may be read whole
            with builder.goto_entry_block():
                block = builder.alloca(ir.ArrayType(element, size + LINE))
            block.align = LINE
            extent = context.get_constant(types.intp, size)
            return _vector(
                context, builder, array.dtype, builder.bitcast(block, element.as_pointer()), extent
            )

        return types.Array(array.dtype, 1, "C")(array), codegen

    return reserve


def _plain_scratch_like(array):
    """Return ``TILE`` uninitialised numbers of the array's dtype, valid until the calling kernel returns.

    Inside compiled code the numbers live in the stack frame of the caller; in plain Python they are an
    ordinary array.
    """
    return np.empty(TILE, array.dtype)


def _plain_panel_like(array):
    """Return room for a panel of the array's dtype, as :func:`scratch_like` does."""
    return np.empty(_PANEL_SIZE, array.dtype)


@intrinsic
def _rolled(typing_context):
    def codegen(context, builder, signature, arguments):
        keep_rolled(builder)
        return context.get_dummy_value()

    return types.void(), codegen


def _plain_rolled():
    """Keep the loop around this call as it is written: short loops gain nothing from unrolling."""


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
scratch_like = _plain_scratch_like if _PLAIN else _reserving(TILE)
panel_like = _plain_panel_like if _PLAIN else _reserving(_PANEL_SIZE)
rolled = _plain_rolled if _PLAIN else _rolled
