"""One strip of a matrix product, in tiles that are held in vector registers while the sums run.

Every step of a sum loads one vector of b and multiplies it with one number from each row of a. The compiler does
not find that form by itself: a plain loop stores its partial sums at every step. Each entry is one chain of fused
multiply-adds in the order of the sum, so it does not depend on how a product is cut into tiles.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import INDEX, LINE, Lanes

ROWS = 8
"""Rows of a tile: enough independent chains to hide the latency of a multiply-add."""

WIDTH = LINE
"""Bytes of a row of a tile: one vector register."""


def _starts(builder, base, step, rows):
    """Return a pointer to each of some rows."""
    return [builder.gep(base, [builder.mul(row, step)]) for row in rows]


def _tile(builder, lanes, arguments, masks, first):
    """Write the machine code of the tile that begins at a row; rows beyond the last repeat it."""
    a, row_step, depth_step, b, b_step, depth, base, base_step, _, out, out_step, rows, _ = arguments
    mask, base_mask = masks
    last = builder.sub(rows, INDEX(1))
    taken = []
    for r in range(ROWS):
        row = builder.add(first, INDEX(r))
        taken.append(builder.select(builder.icmp_signed("<", row, last), row, last))
    totals = [cgutils.alloca_once(builder, lanes.vector) for _ in range(ROWS)]
    for total, start in zip(totals, _starts(builder, base, base_step, taken), strict=True):
        builder.store(lanes.load(start, INDEX(0), base_mask), total)
    a_rows = _starts(builder, a, row_step, taken)
    with cgutils.for_range(builder, depth) as loop:
        vector = lanes.load(b, builder.mul(loop.index, b_step), mask)
        along = builder.mul(loop.index, depth_step)
        for total, a_row in zip(totals, a_rows, strict=True):
            factor = lanes.splat(builder.load(builder.gep(a_row, [along])))
            builder.store(lanes.multiply_add(factor, vector, builder.load(total)), total)
    for total, row in zip(totals, _starts(builder, out, out_step, taken), strict=True):
        lanes.store(builder.load(total), row, INDEX(0), mask)


def _function(context, module, dtype, arguments):
    """Return the strip as a function of a module, which is never copied into its callers."""
    name = f"minibn_strip_{dtype}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    whole, half = (Lanes(context, builder, dtype, line) for line in (LINE, LINE // 2))
    with builder.if_else(builder.icmp_signed("<=", function.args[-1], INDEX(half.count))) as (narrow, wide):
        with narrow:  # half a vector costs half as much where the machine adds 32 bytes at a time
            _walk(builder, half, function.args)
        with wide:
            _walk(builder, whole, function.args)
    builder.ret_void()
    return function


def _walk(builder, lanes, arguments):
    """Write the machine code of all tiles of a strip."""
    masks = lanes.mask(INDEX(0), arguments[-1]), lanes.mask(INDEX(0), arguments[8])
    with cgutils.for_range_slice(builder, INDEX(0), arguments[-2], INDEX(ROWS)) as (first, _):
        _tile(builder, lanes, arguments, masks, first)


def _emit(context, builder, signature, arguments):
    """Call the strip with a pointer in place of each array and its first entry."""
    arrays = {i: context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 4, 8, 11)}
    pointers = {i: builder.gep(array.data, [arguments[i + 1]]) for i, array in arrays.items()}
    given, none = [], ir.Constant(INDEX, 0)
    for i, argument in enumerate(arguments):
        if i - 1 not in arrays:
            given.append(pointers.get(i, argument))
    has_base = builder.icmp_signed(">", arrays[8].nitems, none)
    given.insert(8, builder.select(has_base, arguments[-1], none))
    builder.call(_function(context, builder.module, signature.args[0].dtype, given), given)
    return context.get_dummy_value()


def _plain_strip(a, a_start, row_step, depth_step, b, b_start, b_step, depth,
                 base, base_start, base_step, out, out_start, out_step, rows, width):  # fmt: skip
    """Write base + sum over k of a[row, k] * b[k, column] for one vector of columns.

    Parameters
    ----------
    a, b, base, out : ndarray of float32 or float64, 1-D
        ``base`` may be empty, for zero.
    a_start, b_start, base_start, out_start : int
        First entry of the strip in each array.
    row_step, depth_step : int
        Entries of a from row to row, and from one term of the sum to the next.
    b_step, base_step, out_step : int
        Entries from row to row; ``base_step`` 0 adds the same row everywhere.
    depth : int
        Terms of the sum.
    rows, width : int
        Size of the strip; columns at most one vector register.
    """
    columns = np.arange(width)
    for r in range(rows):
        start = base_start + r * base_step
        total = base[start + columns] if base.size else np.zeros(width, out.dtype)
        for k in range(depth):
            total = total + a[a_start + r * row_step + k * depth_step] * b[b_start + k * b_step + columns]
        out[out_start + r * out_step + columns] = total


@intrinsic
def _compiled_strip(typing_context, a, a_start, row_step, depth_step, b, b_start, b_step, depth,
                    base, base_start, base_step, out, out_start, out_step, rows, width):  # fmt: skip
    step = types.intp
    signature = types.void(
        a, step, step, step, b, step, step, step, base, step, step, out, step, step, step, step
    )
    return signature, _emit


strip = _plain_strip if config.DISABLE_JIT else _compiled_strip  # type: ignore[attr-defined]
