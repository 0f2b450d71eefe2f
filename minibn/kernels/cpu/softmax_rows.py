"""The two passes of a softmax over one row, in vectors: the largest entry, and the sum.

A plain loop takes one entry after the other, since a sum may not be reordered behind the programmer's back. Here lane k
adds entries k, k + 16, ... (8 in float64), and the lanes are added in halves: an order that depends on the number of
classes alone.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from minibn.kernels.cpu.lanes import INDEX, Lanes, keep_rolled

_INT32 = ir.IntType(32)


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered(">", b, a), b, a)


def _halved(builder, value, combine):
    """Return what is left of a vector whose upper half is combined with its lower one again and again."""
    count = value.type.count
    while count > 1:
        count //= 2
        low, high = (
            builder.shuffle_vector(
                value, value, ir.Constant(ir.VectorType(_INT32, count), list(range(start, start + count)))
            )
            for start in (0, count)
        )
        value = combine(low, high)
    return builder.extract_element(value, _INT32(0))


class _Row:
    """Emits loops over the lines of one row."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, dtype = builder, signature.args[0].dtype
        arrays = [
            make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        self.lanes, self.size = Lanes(context, builder, dtype), arrays[0].nitems
        self.pointers = [array.data for array in arrays]

    def lines(self, play):
        """Call ``play(index, mask)`` for every line."""
        with cgutils.for_range_slice(self.builder, INDEX(0), self.size, INDEX(self.lanes.count)) as (
            first,
            _,
        ):
            keep_rolled(self.builder)
            play(first, self.lanes.mask(first, self.size))

    def folded(self, start, combine):
        """Return the combination of all lines, each as ``combine(so far, line, mask)``, in a vector."""
        total, source = cgutils.alloca_once_value(self.builder, start), self.pointers[0]

        def play(index, mask):
            line = self.lanes.load(source, index, mask)
            self.builder.store(combine(self.builder.load(total), line, mask), total)

        self.lines(play)
        return self.builder.load(total)

    def written(self, change):
        """Write ``change(line)`` of every line to the last array."""

        def play(index, mask):
            self.lanes.store(
                change(self.lanes.load(self.pointers[0], index, mask)), self.pointers[-1], index, mask
            )

        self.lines(play)


@intrinsic
def _shift_row(typing_context, logits, out):
    def codegen(context, builder, signature, arguments):
        row = _Row(context, builder, signature, arguments)
        first = row.lanes.splat(builder.load(row.pointers[0]))
        most = row.folded(
            first, lambda best, line, mask: _larger(builder, best, builder.select(mask, line, first))
        )
        highest = _halved(builder, most, lambda a, b: _larger(builder, a, b))
        row.written(lambda line: builder.fsub(line, row.lanes.splat(highest)))
        return highest

    return logits.dtype(logits, out), codegen


@intrinsic
def _share_row(typing_context, powers):
    def codegen(context, builder, signature, arguments):
        row = _Row(context, builder, signature, arguments)
        lanes, zero = row.lanes, ir.Constant(row.lanes.wide, [0.0] * row.lanes.count)
        sums = row.folded(zero, lambda total, line, mask: builder.fadd(total, lanes.widen(line)))
        total = _halved(builder, sums, builder.fadd)
        inverse = lanes.splat_wide(builder.fdiv(ir.DoubleType()(1.0), total))
        row.written(lambda line: lanes.narrow(builder.fmul(lanes.widen(line), inverse)))
        return total

    return types.float64(powers), codegen


def _plain_shift_row(logits, out):
    """Write a row less its largest entry, and return that; NaN need not be found, since it makes the row's sum NaN."""
    highest = logits[0]
    for value in logits[1:]:
        highest = value if value > highest else highest
    out[...] = logits - highest
    return highest


def _plain_share_row(powers):
    """Divide a row by its sum, and return that as a float64."""
    total = powers.sum(dtype=np.float64)
    powers[...] = powers * (1.0 / total)
    return total


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
shift_row = _plain_shift_row if _PLAIN else _shift_row
share_row = _plain_share_row if _PLAIN else _share_row
