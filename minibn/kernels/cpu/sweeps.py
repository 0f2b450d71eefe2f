"""The four loops of a batch norm over rows first to last of channels begin to end, as vector code.

Tables hold one entry per position, as :mod:`minibn.kernels.cpu.positions` explains. Where ``relu`` is not None, a
ReLU stands behind the batch norm. In plain Python the same loops run on NumPy slices.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from minibn.kernels.cpu.channels import VARIED
from minibn.kernels.cpu.lanes import INDEX, Lanes, pointer_to
from minibn.kernels.cpu.moments import Moments
from minibn.kernels.cpu.positions import extents
from minibn.kernels.cpu.walk import Walk

_BLOCK = (types.UniTuple(types.intp, 6),) + (types.intp,) * 4


def _check_layout(array):
    if array.layout != "C":
        raise TypingError(
            f"batch-norm kernels take C-contiguous arrays, got layout {array.layout}; use np.ascontiguousarray"
        )


class _Code:
    """What the code of every loop starts from: lanes, the addresses of its arrays, and the walk."""

    def __init__(self, context, builder, signature, arguments):
        self.context, self.builder = context, builder
        self.lanes = Lanes(context, builder, signature.args[0].dtype)
        self.arrays = [
            pointer_to(context, builder, kind, value)
            for kind, value in zip(signature.args, arguments, strict=True)
            if isinstance(kind, types.Array)
        ]
        self.walk = Walk(self.lanes, *arguments[-len(_BLOCK) :])

    def bytes_of(self, kind, array):
        """Return the size of an array."""
        count = make_array(kind)(self.context, self.builder, array).nitems
        return self.builder.mul(count, INDEX(self.lanes.size))

    def columns(self, tables, column, mask):
        """Load one line of each table."""
        return [self.lanes.load(table, column, mask) for table in tables]

    def rows(self, array, places, mask):
        """Load one line of each row."""
        return [self.lanes.load(array, place, mask) for place in places]

    def minus(self, values, line):
        return [self.builder.fsub(value, line) for value in values]

    def affine(self, differences, scale, shift):
        """Return difference * scale + shift: the same code forward and in the mask backward."""
        return [self.lanes.multiply_add(difference, scale, shift) for difference in differences]

    def open(self, values, tests):
        """Return the values where the tested ones are not <= 0, else 0; NaN counts as open."""
        zero = self.lanes.zero
        closed = [self.builder.fcmp_ordered("<=", test, zero) for test in tests]
        return [self.builder.select(c, zero, value) for c, value in zip(closed, values, strict=True)]

    def total(self, values):
        """Return the sum of some lines, pair by pair."""
        while len(values) > 1:
            values = [self.builder.fadd(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    def dot(self, left, right):
        """Return the sum of the products of two lists of lines."""
        total = self.builder.fmul(left[0], right[0])
        for a, b in zip(left[1:], right[1:], strict=True):
            total = self.lanes.multiply_add(a, b, total)
        return total


def _slices(array, *block):
    """Yield the rows of a block, as slices of the array."""
    data = array.reshape(-1)
    pieces, start, distance, rows, stride, width, rest = extents(*block)
    for place in range(start, start + pieces * distance, distance):
        for row in range(rows + 1):
            first = place + row * stride
            yield data[first : first + (width if row < rows else rest)]


@intrinsic
def _sum_differences(typing_context, x, shift, sums, squares, plan, first, last, begin, end):
    _check_layout(x)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        source, *middle, total, square = code.arrays
        around = middle[0] if middle else None
        moments = Moments(context, builder, x.dtype, source, around, total, square, VARIED)
        code.walk.down(source, moments.columns)
        return context.get_dummy_value()

    return types.void(x, shift, sums, squares, *_BLOCK), codegen


def _plain_sum_differences(x, shift, sums, squares, *block):
    """Add the sums of x - shift and of its squares to tables, all in float64; :data:`VARIED` where it is not 0.

    Where ``shift`` is None, it is 0.
    """
    for row in _slices(x, *block):
        difference = row.astype(np.float64) - (0.0 if shift is None else shift[: row.size])
        sums[: row.size] += difference
        squares[: row.size] += difference * difference + np.where(difference != 0, VARIED, 0.0)


@intrinsic
def _normalize_rows(typing_context, x, y, center, scale, shift, relu, plan, first, last, begin, end):
    _check_layout(x), _check_layout(y)

    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        source, target, *tables = code.arrays
        rectifies = code.lanes.splat_bit(arguments[5])

        def body(places, column, mask):
            middle, factor, rest = code.columns(tables, column, mask)
            values = code.affine(code.minus(code.rows(source, places, mask), middle), factor, rest)
            closed = [builder.and_(builder.fcmp_ordered("<=", v, code.lanes.zero), rectifies) for v in values]
            return [builder.select(c, code.lanes.zero, v) for c, v in zip(closed, values, strict=True)]

        code.walk.write(target, code.bytes_of(y, arguments[1]), body)
        return context.get_dummy_value()

    return types.void(x, y, center, scale, shift, relu, *_BLOCK), codegen


def _plain_normalize_rows(x, y, center, scale, shift, relu, *block):
    """Write (x - center) * scale + shift, or its ReLU where ``relu`` is true."""
    for row, out in zip(_slices(x, *block), _slices(y, *block), strict=True):
        n = row.size
        value = (row - center[:n]) * scale[:n] + shift[:n]
        out[...] = np.where(value <= 0, 0, value) if relu else value


@intrinsic
def _sum_products(
    typing_context, dy, x, center, inverse, scale, shift, sums, products, relu, plan, first, last, begin, end
):  # fmt: skip
    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        lanes, (upper, source, middle, deviation, *affine, total, product) = code.lanes, code.arrays

        def body(places, column, mask):
            upstream = code.rows(upper, places, mask)
            line, factor = code.columns([middle, deviation], column, mask)
            values = code.minus(code.rows(source, places, mask), line)
            if relu != types.none:
                upstream = code.open(upstream, code.affine(values, *code.columns(affine, column, mask)))
            values = [builder.fmul(value, factor) for value in values]
            lanes.accumulate(lanes.widen(code.total(upstream)), total, column)
            lanes.accumulate(lanes.widen(code.dot(upstream, values)), product, column)

        code.walk.sum([upper, source], body)
        return context.get_dummy_value()

    return types.void(dy, x, center, inverse, scale, shift, sums, products, relu, *_BLOCK), codegen


def _plain_sum_products(dy, x, center, inverse, scale, shift, sums, products, relu, *block):
    """Add the sums of dy and of dy * (x - center) * inverse to float64 tables."""
    for upper, row in zip(_slices(dy, *block), _slices(x, *block), strict=True):
        upstream, difference = _open(upper, row, center, scale, shift, relu)
        sums[: row.size] += upstream
        products[: row.size] += upstream * (difference * inverse[: row.size])


def _open(upper, row, center, scale, shift, relu):
    """Return dy behind the ReLU, and x - center."""
    n = row.size
    difference = row - center[:n]
    if relu is None:
        return upper, difference
    return np.where(difference * scale[:n] + shift[:n] <= 0, 0, upper), difference


@intrinsic
def _differentiate_rows(
    typing_context, dy, x, dx, center, slope, offset, dy_mean, scale, shift, relu,
    plan, first, last, begin, end,
):  # fmt: skip
    def codegen(context, builder, signature, arguments):
        code = _Code(context, builder, signature, arguments)
        upper, source, target, *tables = code.arrays

        def body(places, column, mask):
            center, slope, offset, dy_mean, scale = code.columns(tables[:-1], column, mask)
            upstream = code.rows(upper, places, mask)
            values = code.minus(code.rows(source, places, mask), center)
            if relu != types.none:
                shift = code.columns(tables[-1:], column, mask)
                upstream = code.open(upstream, code.affine(values, scale, *shift))
            tilted, rest = code.affine(values, slope, offset), code.minus(upstream, dy_mean)
            return [builder.fmul(builder.fadd(r, t), scale) for r, t in zip(rest, tilted, strict=True)]

        code.walk.write(target, code.bytes_of(dx, arguments[2]), body)
        return context.get_dummy_value()

    signature = types.void(dy, x, dx, center, slope, offset, dy_mean, scale, shift, relu, *_BLOCK)
    return signature, codegen


def _plain_differentiate_rows(dy, x, dx, center, slope, offset, dy_mean, scale, shift, relu, *block):
    """Write (dy - dy_mean + (x - center) * slope + offset) * scale."""
    for upper, row, out in zip(*(_slices(a, *block) for a in (dy, x, dx)), strict=True):
        n = row.size
        upstream, difference = _open(upper, row, center, scale, shift, relu)
        out[...] = (upstream - dy_mean[:n] + (difference * slope[:n] + offset[:n])) * scale[:n]


@intrinsic
def _multiply_add(typing_context, a, b, c):
    def codegen(context, builder, signature, arguments):
        kind = arguments[0].type
        name = f"llvm.fmuladd.f{a.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        return builder.call(function, arguments)

    return a(a, a, a), codegen


def _plain_multiply_add(a, b, c):
    """Return a * b + c with the rounding of the loops above."""
    return a * b + c


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
sum_differences = _plain_sum_differences if _PLAIN else _sum_differences
normalize_rows = _plain_normalize_rows if _PLAIN else _normalize_rows
sum_products = _plain_sum_products if _PLAIN else _sum_products
differentiate_rows = _plain_differentiate_rows if _PLAIN else _differentiate_rows
multiply_add = _plain_multiply_add if _PLAIN else _multiply_add
