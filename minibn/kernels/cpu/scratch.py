"""Small scratch arrays on the stack, so that kernels need no heap."""

import numpy as np
from llvmlite import ir
from numba import carray, config, types
from numba.extending import intrinsic, overload

TILE = 512
"""Columns handled at a time by kernels that keep per-column factors in scratch arrays."""

PANEL = 256
"""Rows of a panel: 64 bytes of each of so many rows of a matrix, side by side."""

_PANEL_SIZE = PANEL * 16


def _stack(llvm_type, numba_type, size):
    """Return an intrinsic that reserves some numbers in the stack frame of the calling function."""

    @intrinsic
    def reserve(typing_context):
        def codegen(context, builder, signature, arguments):
            # not cgutils.alloca_once: it also fills the block with zeros, one store for every number
            with builder.goto_entry_block():
                block = builder.alloca(ir.ArrayType(llvm_type, size))
            return builder.bitcast(block, llvm_type.as_pointer())

        return types.CPointer(numba_type)(), codegen

    return reserve


def scratch_like(array):
    """Return ``TILE`` uninitialised numbers of the array's dtype, valid until the calling kernel returns.

    Inside compiled code the numbers live on the stack of the caller, into which this function is always
    inlined; in plain Python they are an ordinary array.
    """
    return np.empty(TILE, array.dtype)


def panel_like(array):
    """Return room for a panel of the array's dtype, as :func:`scratch_like` does."""
    return np.empty(_PANEL_SIZE, array.dtype)


if not config.DISABLE_JIT:  # type: ignore[attr-defined]
    _float32, _float64 = (ir.FloatType(), types.float32), (ir.DoubleType(), types.float64)
    _tile_32, _tile_64 = _stack(*_float32, TILE), _stack(*_float64, TILE)
    _panel_32, _panel_64 = _stack(*_float32, _PANEL_SIZE), _stack(*_float64, _PANEL_SIZE)

    @overload(scratch_like, inline="always")
    def _scratch_like(array):
        if array.dtype == types.float32:
            return lambda array: carray(_tile_32(), TILE)
        return lambda array: carray(_tile_64(), TILE)

    @overload(panel_like, inline="always")
    def _panel_like(array):
        if array.dtype == types.float32:
            return lambda array: carray(_panel_32(), _PANEL_SIZE)
        return lambda array: carray(_panel_64(), _PANEL_SIZE)
