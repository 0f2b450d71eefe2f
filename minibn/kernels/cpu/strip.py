"""One strip of a matrix product, in tiles that are held in vector registers while the sums run.

Every step of a sum loads one vector of b and multiplies it with one number from each row of a. The compiler does
not find that form by itself: a plain loop stores its partial sums at every step. Each entry is one chain of fused
multiply-adds in the order of the sum, so it does not depend on how a product is cut into tiles. The terms of the sum
may be given as a list (:mod:`minibn.kernels.cpu.terms`).
"""

from llvmlite import ir
from numba.core import cgutils

from minibn.kernels.cpu.lanes import INDEX, LINE, Lanes

ROWS = 8
"""Rows of a tile: enough independent chains to hide the latency of a multiply-add."""

FEW = 4
"""Rows of a tile where no more are left."""

VECTORS = 4
"""Vectors of a tile of a single row, whose chains are side by side instead."""

WIDTH = LINE
"""Bytes of a row of a tile of several rows: one vector register."""


def rows_of_tile(builder, first, rows, height=ROWS):
    """Return the numbers of a tile's rows; those beyond the last repeat it."""
    last, taken = builder.sub(rows, INDEX(1)), []
    for r in range(height):
        row = builder.add(first, INDEX(r))
        taken.append(builder.select(builder.icmp_signed("<", row, last), row, last))
    return taken


def _starts(builder, base, step, rows):
    """Return a pointer to each of some rows."""
    return [builder.gep(base, [builder.mul(row, step)]) for row in rows]


def _term(builder, place, terms, listed):
    """Return the number of the term at a place of the sum.

    It goes through an empty instruction: from a number that it can foresee, the compiler would make one pointer for each
    row of a tile, more than there are registers.
    """
    number = builder.load(builder.gep(terms, [builder.select(listed, place, INDEX(0))]))
    kind = ir.FunctionType(INDEX, [INDEX])
    return builder.asm(kind, "", "=r,0", [builder.select(listed, number, place)], side_effect=False)


def _tile(builder, lanes, arguments, masks, taken):
    """Write the machine code of a tile of some rows, with a vector for every two masks: of the sum, and of its base."""
    a, row_step, depth_step, b, b_step, depth, base, base_step, _, out, out_step, terms, listed, *_ = (
        arguments
    )
    columns = [(INDEX(part * lanes.count), *both) for part, both in enumerate(masks)]
    totals = [[cgutils.alloca_once(builder, lanes.vector) for _ in columns] for _ in taken]
    for row, start in zip(totals, _starts(builder, base, base_step, taken), strict=True):
        for total, (column, _, base_mask) in zip(row, columns, strict=True):
            builder.store(lanes.load(start, column, base_mask), total)
    a_rows = _starts(builder, a, row_step, taken)
    with cgutils.for_range(builder, depth) as loop:
        term = _term(builder, loop.index, terms, listed)
        b_row, along = builder.gep(b, [builder.mul(term, b_step)]), builder.mul(term, depth_step)
        vectors = [lanes.load(b_row, column, mask) for column, mask, _ in columns]
        for row, a_row in zip(totals, a_rows, strict=True):
            factor = lanes.splat(builder.load(builder.gep(a_row, [along])))
            for total, vector in zip(row, vectors, strict=True):
                builder.store(lanes.multiply_add(factor, vector, builder.load(total)), total)
    for row, start in zip(totals, _starts(builder, out, out_step, taken), strict=True):
        for total, (column, mask, _) in zip(row, columns, strict=True):
            lanes.store(builder.load(total), start, column, mask)


def _walk(builder, lanes, arguments, height=ROWS, vectors=1, low=0):
    """Write the machine code of all tiles of a strip; a last one of at most ``low`` rows has no more than those."""
    base_width, rows, width = (arguments[i] for i in (8, -2, -1))
    starts = [INDEX(part * lanes.count) for part in range(vectors)]
    masks = [tuple(lanes.mask(start, extent) for extent in (width, base_width)) for start in starts]
    with cgutils.for_range_slice(builder, INDEX(0), rows, INDEX(height)) as (first, _):
        few = builder.icmp_signed("<=", builder.sub(rows, first), INDEX(low))
        with builder.if_else(few, likely=False) as (then, otherwise):
            with then:
                _tile(builder, lanes, arguments, masks, rows_of_tile(builder, first, rows, low))
            with otherwise:
                _tile(builder, lanes, arguments, masks, rows_of_tile(builder, first, rows, height))


def strip_function(context, module, dtype):
    """Return a strip as a function of a module, which is never copied into its callers.

    It writes base + sum over k of a[row, k] * b[k, column] for some rows and one vector of columns, or for one row and
    ``VECTORS`` of them. Its arguments are a, its steps from row to row and from term to term; b, its step; the number
    of terms; base, its step and its columns, which are all or none; out, its step; a list of terms, and whether it is
    one; rows and columns.
    """
    name = f"minibn_strip_{dtype}"
    if name in module.globals:
        return module.globals[name]
    pointer, terms = context.get_value_type(dtype).as_pointer(), INDEX.as_pointer()
    kinds = [pointer, INDEX, INDEX, pointer, INDEX, INDEX, pointer, INDEX, INDEX, pointer, INDEX, terms,
             ir.IntType(1), INDEX, INDEX]  # fmt: skip
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    whole, half = (Lanes(context, builder, dtype, line) for line in (LINE, LINE // 2))
    rows, width = function.args[-2:]
    with builder.if_then(builder.icmp_signed("==", rows, INDEX(1))):
        _walk(builder, whole, function.args, 1, VECTORS)
        builder.ret_void()
    with builder.if_then(builder.icmp_signed("<=", width, INDEX(half.count))):
        _walk(builder, half, function.args)  # costs half as much where the machine adds 32 bytes at a time
        builder.ret_void()
    _walk(builder, whole, function.args, low=FEW)
    builder.ret_void()
    return function
