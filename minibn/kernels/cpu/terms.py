"""Which terms of a sum of products count: those in which some row of a tile of a is not 0.

Inputs with many zeros are common: margins of images, counts, categories as columns of 0 and 1. A term that is 0 in all
rows of a tile adds nothing to a finite sum.
"""

from llvmlite import ir
from numba.core import cgutils

from minibn.kernels.cpu.lanes import INDEX, LINE, Lanes
from minibn.kernels.cpu.strip import ROWS, rows_of_tile

_BIT = ir.IntType(1)


def _append(builder, terms, end, number, counts):
    """Write a number behind the end of the list, and move the end where it counts."""
    place = builder.load(end)
    builder.store(number, builder.gep(terms, [place]))
    builder.store(builder.add(place, builder.zext(counts, INDEX)), end)


def _nonzero(builder, lanes, line):
    return builder.fcmp_unordered("!=", line, lanes.zero)


def _along_terms(builder, lanes, arguments, end):
    """Look at lines of terms, where those of a row lie side by side."""
    a, row_step, _, rows, depth, terms = arguments
    bits = ir.IntType(lanes.count)
    starts = [builder.gep(a, [builder.mul(row, row_step)]) for row in rows_of_tile(builder, INDEX(0), rows)]
    with cgutils.for_range_slice(builder, INDEX(0), depth, INDEX(lanes.count)) as (first, _):
        mask, some = lanes.mask(first, depth), lanes.splat_bit(_BIT(0))
        for start in starts:
            some = builder.or_(some, _nonzero(builder, lanes, lanes.load(start, first, mask)))
        some = builder.bitcast(some, bits)
        for t in range(lanes.count):
            counts = builder.trunc(builder.lshr(some, bits(t)), _BIT)
            _append(builder, terms, end, builder.add(first, INDEX(t)), counts)


def _along_rows(builder, lanes, arguments, end):
    """Look at a line of rows for every term, where the rows of a term lie side by side."""
    a, _, depth_step, rows, depth, terms = arguments
    mask, bits = lanes.mask(INDEX(0), rows), ir.IntType(lanes.count)
    with cgutils.for_range(builder, depth) as loop:
        some = _nonzero(builder, lanes, lanes.load(a, builder.mul(loop.index, depth_step), mask))
        counts = builder.icmp_unsigned("!=", builder.bitcast(some, bits), bits(0))
        _append(builder, terms, end, loop.index, counts)


def terms_function(context, module, dtype):
    """Return the search as a function of a module: it lists the terms of one tile and returns how many they are.

    Its arguments are the tile's first entry, the steps from row to row and from term to term, one of which is 1; the
    number of rows, of which ``ROWS`` are looked at, and that of terms; and room for the list and a line more.
    """
    name = f"minibn_terms_{dtype}"
    if name in module.globals:
        return module.globals[name]
    kinds = [context.get_value_type(dtype).as_pointer(), INDEX, INDEX, INDEX, INDEX, INDEX.as_pointer()]
    function = ir.Function(module, ir.FunctionType(INDEX, kinds), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    end = cgutils.alloca_once_value(builder, INDEX(0))
    whole, tile = (Lanes(context, builder, dtype, line) for line in (LINE, ROWS * dtype.bitwidth // 8))
    with builder.if_else(builder.icmp_signed("==", function.args[1], INDEX(1))) as (turned, plain):
        with turned:
            _along_rows(builder, tile, function.args, end)
        with plain:
            _along_terms(builder, whole, function.args, end)
    builder.ret(builder.load(end))
    return function


def all_finite(builder, lanes, pointer, size):
    """Return whether no number of an array is infinite or NaN."""
    outside = cgutils.alloca_once_value(builder, ir.Constant(lanes.bits, None))
    with cgutils.for_range_slice(builder, INDEX(0), size, INDEX(lanes.count)) as (first, _):
        line = lanes.load(pointer, first, lanes.mask(first, size))
        wrong = _nonzero(builder, lanes, builder.fsub(line, line))
        builder.store(builder.or_(builder.load(outside), wrong), outside)
    bits = ir.IntType(lanes.count)
    return builder.icmp_unsigned("==", builder.bitcast(builder.load(outside), bits), bits(0))
