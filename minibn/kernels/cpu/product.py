"""A matrix product, cut into strips; terms that are 0 for all rows of a tile are left out where there are many."""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import INDEX, Lanes
from minibn.kernels.cpu.strip import ROWS, VECTORS, WIDTH, strip_function
from minibn.kernels.cpu.terms import all_finite, terms_function

_MOST = 480  # terms of a list, which is 4 KB long with what is written behind its end
_SPARSE_FROM = 32  # rows, columns and terms of a product from which a search for zeros pays
_SAMPLES = 4  # parts of tiles that are looked at to say whether it does


class _Product:
    """Emits one product; its attributes are named as the arguments of ``product``."""

    def __init__(self, context, builder, dtype, arguments):
        self.context, self.builder, self.dtype = context, builder, dtype
        (self.a, self.row_step, self.depth_step, self.b, self.b_step, self.depth, self.base, self.base_step, self.based,
         self.out, self.out_step, self.rows, self.columns) = arguments  # fmt: skip
        self.strip = strip_function(context, builder.module, dtype)
        self.list = terms_function(context, builder.module, dtype)
        self.terms = builder.bitcast(builder.alloca(ir.ArrayType(INDEX, _MOST + 32)), INDEX.as_pointer())
        self.width = WIDTH * 8 // dtype.bitwidth

    def _least(self, a, b):
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def _at(self, pointer, *steps):
        """Return a pointer moved by some steps, each of them a number of rows and the entries of one."""
        for count, step in steps:
            pointer = self.builder.gep(pointer, [self.builder.mul(count, step)])
        return pointer

    def strips(self, a, b, depth, base, base_step, based, out, rows, listed):
        """Emit a product of some rows, strip by strip."""
        builder, one = self.builder, INDEX(1)
        single = builder.icmp_signed("==", rows, one)
        wide = builder.select(single, INDEX(VECTORS * self.width), INDEX(self.width))
        with cgutils.for_range_slice(builder, INDEX(0), self.columns, wide) as (first, _):
            width = self._least(wide, builder.sub(self.columns, first))
            base_width = builder.select(based, width, INDEX(0))
            b_strip, base_strip, out_strip = (self._at(pointer, (first, one)) for pointer in (b, base, out))
            given = (a, self.row_step, self.depth_step, b_strip, self.b_step, depth, base_strip, base_step, base_width,
                     out_strip, self.out_step, self.terms, ir.IntType(1)(listed), rows, width)  # fmt: skip
            builder.call(self.strip, given)

    def whole(self):
        """Emit the product with all of its terms."""
        self.strips(
            self.a, self.b, self.depth, self.base, self.base_step, self.based, self.out, self.rows, False
        )

    def _list(self, a, rows, depth):
        return self.builder.call(self.list, (a, self.row_step, self.depth_step, rows, depth, self.terms))

    def mostly_zero(self):
        """Emit the question whether samples let a fifth of their terms be left out."""
        builder, found = self.builder, INDEX(0)
        parts = [builder.sdiv(extent, INDEX(_SAMPLES)) for extent in (self.rows, self.depth)]
        depth = self._least(parts[1], INDEX(_MOST))
        for sample in range(_SAMPLES):  # each at another place along rows and terms
            row, term = (builder.mul(part, INDEX(sample)) for part in parts)
            a = self._at(self.a, (row, self.row_step), (term, self.depth_step))
            found = builder.add(found, self._list(a, INDEX(ROWS), depth))
        return builder.icmp_signed("<", builder.mul(found, INDEX(5)), builder.mul(depth, INDEX(4 * _SAMPLES)))

    def large(self):
        """Emit the question whether a search for zeros may pay."""
        least = self._least(self._least(self.rows, self.columns), self.depth)
        return self.builder.icmp_signed(">=", least, INDEX(_SPARSE_FROM))

    def finite(self):
        """Emit the question whether b has no entry that times 0 is not 0."""
        lanes = Lanes(self.context, self.builder, self.dtype)
        return all_finite(self.builder, lanes, self.b, self.builder.mul(self.depth, self.b_step))

    def listed(self):
        """Emit the product with the terms of each tile that count."""
        builder = self.builder
        for_range = cgutils.for_range_slice
        with for_range(builder, INDEX(0), self.depth, INDEX(_MOST)) as (start, _):
            depth, later = (
                self._least(builder.sub(self.depth, start), INDEX(_MOST)),
                builder.icmp_signed(">", start, INDEX(0)),
            )
            base, step = (
                builder.select(later, *pair)
                for pair in ((self.out, self.base), (self.out_step, self.base_step))
            )
            with for_range(builder, INDEX(0), self.rows, INDEX(ROWS)) as (row, _):
                a = self._at(self.a, (row, self.row_step), (start, self.depth_step))
                rows = self._least(builder.sub(self.rows, row), INDEX(ROWS))
                self.strips(
                    a, self._at(self.b, (start, self.b_step)), self._list(a, rows, depth),
                    self._at(base, (row, step)), step, builder.or_(later, self.based),
                    self._at(self.out, (row, self.out_step)), rows, True,
                )  # fmt: skip


def _function(context, module, dtype, arguments):
    """Return the product as a function of a module, which is never copied into its callers."""
    name = f"minibn_product_{dtype}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    product = _Product(context, builder, dtype, function.args)
    with (
        builder.if_then(product.large()),
        builder.if_then(product.mostly_zero()),
        builder.if_then(product.finite()),
    ):
        product.listed()
        builder.ret_void()
    product.whole()
    builder.ret_void()
    return function


def _emit(context, builder, signature, arguments):
    """Call the product with a pointer in place of each array and its first entry."""
    arrays = {i: context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 4, 8, 11)}
    pointers = {i: builder.gep(array.data, [arguments[i + 1]]) for i, array in arrays.items()}
    given = [pointers.get(i, argument) for i, argument in enumerate(arguments) if i - 1 not in arrays]
    given.insert(8, builder.icmp_signed(">", arrays[8].nitems, ir.Constant(INDEX, 0)))
    builder.call(_function(context, builder.module, signature.args[0].dtype, given), given)
    return context.get_dummy_value()


def _plain_product(a, a_start, row_step, depth_step, b, b_start, b_step, depth,
                   base, base_start, base_step, out, out_start, out_step, rows, columns):  # fmt: skip
    """Write base + sum over k of a[row, k] * b[k, column].

    A term that is 0 in all rows of a tile may be left out, where no entry of b is infinite or NaN.

    Parameters
    ----------
    a, b, base, out : ndarray of float32 or float64, 1-D
        ``base`` may be empty, for zero.
    a_start, b_start, base_start, out_start : int
        First entry in each array.
    row_step, depth_step : int
        Entries of a from row to row, and from one term of the sum to the next; one of them is 1 in a product of 32 rows,
        columns and terms or more.
    b_step, base_step, out_step : int
        Entries from row to row; ``base_step`` 0 adds the same row everywhere. Entries of b between its columns and its
        next row are read.
    depth : int
        Terms of the sum.
    rows, columns : int
    """
    places = np.arange(columns)
    for r in range(rows):
        start = base_start + r * base_step
        total = base[start + places] if base.size else np.zeros(columns, out.dtype)
        for k in range(depth):
            total = total + a[a_start + r * row_step + k * depth_step] * b[b_start + k * b_step + places]
        out[out_start + r * out_step + places] = total


@intrinsic
def _compiled_product(typing_context, a, a_start, row_step, depth_step, b, b_start, b_step, depth,
                      base, base_start, base_step, out, out_start, out_step, rows, columns):  # fmt: skip
    step = types.intp
    signature = types.void(
        a, step, step, step, b, step, step, step, base, step, step, out, step, step, step, step
    )
    return signature, _emit


product = _plain_product if config.DISABLE_JIT else _compiled_product  # type: ignore[attr-defined]
