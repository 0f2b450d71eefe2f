"""Small scratch arrays on the stack, so that kernels need no heap."""

import numpy as np
from llvmlite import ir
from numba import carray, config, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

TILE = 512
"""Columns handled at a time by kernels that keep per-column factors in scratch arrays."""


@intrinsic
def _stack_float32(typing_context):
    """Reserve ``TILE`` float32 in the stack frame of the calling function."""
    return types.CPointer(types.float32)(), _alloca(ir.FloatType())


@intrinsic
def _stack_float64(typing_context):
    """Reserve ``TILE`` float64 in the stack frame of the calling function."""
    return types.CPointer(types.float64)(), _alloca(ir.DoubleType())


def _alloca(llvm_type):
    def codegen(context, builder, signature, arguments):
        block = cgutils.alloca_once(builder, ir.ArrayType(llvm_type, TILE))
        return builder.bitcast(block, llvm_type.as_pointer())

    return codegen


def scratch_like(array):
    """Return ``TILE`` uninitialised numbers of the array's dtype, valid until the calling kernel returns.

    Inside compiled code the numbers live on the stack of the caller, into which this function is always
    inlined; in plain Python they are an ordinary array.
    """
    return np.empty(TILE, array.dtype)


if not config.DISABLE_JIT:  # type: ignore[attr-defined]

    @overload(scratch_like, inline="always")
    def _scratch_like(array):
        if array.dtype == types.float32:
            return lambda array: carray(_stack_float32(), TILE)
        return lambda array: carray(_stack_float64(), TILE)
