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

ROWS = 8
"""Rows of a tile: enough independent chains to hide the latency of a multiply-add."""

WIDTH = 64
"""Bytes of a row of a tile: one vector register."""

_LANES = {types.float32: WIDTH // 4, types.float64: WIDTH // 8}
_INT = ir.IntType(64)


class _Vectors:
    """The vector instructions of a tile, for one dtype, in one function."""

    def __init__(self, context, builder, dtype):
        self.builder, self.lanes = builder, _LANES[dtype]
        self.element = context.get_value_type(dtype)
        self.type = ir.VectorType(self.element, self.lanes)
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)
        self.align = ir.Constant(ir.IntType(32), WIDTH // self.lanes)
        self._masks = ir.VectorType(ir.IntType(1), self.lanes)
        self._suffix = f"v{self.lanes}f{8 * WIDTH // self.lanes}"

    def _function(self, name, result, *arguments):
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.{self._suffix}")

    def splat(self, value, element=None):
        """Return a vector with the value in every lane."""
        kind = ir.VectorType(element or self.element, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def mask(self, width):
        """Return the mask of the first ``width`` lanes."""
        index = ir.Constant(ir.VectorType(_INT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", index, self.splat(width, _INT))

    def load(self, pointer, mask):
        """Load the lanes of the mask; the others are 0 and their memory is not touched."""
        where = self.builder.bitcast(pointer, self.type.as_pointer())
        function = self._function(
            "masked.load", self.type, where.type, self.align.type, self._masks, self.type
        )
        return self.builder.call(function, [where, self.align, mask, self.zero])

    def store(self, value, pointer, mask):
        """Store the lanes of the mask."""
        where = self.builder.bitcast(pointer, self.type.as_pointer())
        arguments = self.type, where.type, self.align.type, self._masks
        function = self._function("masked.store", ir.VoidType(), *arguments)
        self.builder.call(function, [value, where, self.align, mask])

    def multiply_add(self, a, b, total):
        """Return a * b + total."""
        return self.builder.call(self._function("fmuladd", *[self.type] * 4), [a, b, total])


def _starts(builder, base, step, rows):
    """Return a pointer to each of some rows."""
    return [builder.gep(base, [builder.mul(row, step)]) for row in rows]


def _tile(builder, vectors, arguments, masks, first):
    """Write the machine code of the tile that begins at a row; rows beyond the last repeat it."""
    a, row_step, depth_step, b, b_step, depth, base, base_step, _, out, out_step, rows, _ = arguments
    mask, base_mask = masks
    last = builder.sub(rows, _INT(1))
    taken = []
    for r in range(ROWS):
        row = builder.add(first, _INT(r))
        taken.append(builder.select(builder.icmp_signed("<", row, last), row, last))
    totals = [cgutils.alloca_once(builder, vectors.type) for _ in range(ROWS)]
    for total, start in zip(totals, _starts(builder, base, base_step, taken), strict=True):
        builder.store(vectors.load(start, base_mask), total)
    a_rows = _starts(builder, a, row_step, taken)
    with cgutils.for_range(builder, depth) as loop:
        vector = vectors.load(builder.gep(b, [builder.mul(loop.index, b_step)]), mask)
        along = builder.mul(loop.index, depth_step)
        for total, a_row in zip(totals, a_rows, strict=True):
            factor = vectors.splat(builder.load(builder.gep(a_row, [along])))
            builder.store(vectors.multiply_add(factor, vector, builder.load(total)), total)
    for total, row in zip(totals, _starts(builder, out, out_step, taken), strict=True):
        vectors.store(builder.load(total), row, mask)


def _function(context, module, dtype, arguments):
    """Return the strip as a function of a module, which is never copied into its callers."""
    name = f"minibn_strip_{dtype}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    vectors = _Vectors(context, builder, dtype)
    masks = vectors.mask(function.args[-1]), vectors.mask(function.args[8])
    with cgutils.for_range_slice(builder, _INT(0), function.args[-2], _INT(ROWS)) as (first, _):
        _tile(builder, vectors, function.args, masks, first)
    builder.ret_void()
    return function


def _emit(context, builder, signature, arguments):
    """Call the strip with a pointer in place of each array and its first entry."""
    arrays = {i: context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 4, 8, 11)}
    pointers = {i: builder.gep(array.data, [arguments[i + 1]]) for i, array in arrays.items()}
    given, none = [], ir.Constant(_INT, 0)
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
