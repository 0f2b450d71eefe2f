"""The softmax of few classes: rows side by side, so that each lane of a vector works on a row of its own.

What a row gets does not depend on the rows beside it: its powers are added in the order of the classes.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from minibn.kernels.cpu.exponential import decay_lanes
from minibn.kernels.cpu.lanes import INDEX, Lanes, keep_rolled
from minibn.kernels.cpu.maths import decay

SIDE = 16
"""Rows of a block."""

FEW = 32
"""Classes from which a row is long enough for vectors along it; a block of fewer fits a scratch array."""

_INT32 = ir.IntType(32)


class _Block:
    """Emits the passes over a block of rows; lanes beyond its last row repeat that row."""

    def __init__(self, context, builder, signature, arguments):
        self.builder, dtype = builder, signature.args[0].dtype
        arrays = [
            make_array(k)(context, builder, a).data
            for k, a in zip(signature.args[:5], arguments[:5], strict=True)
        ]
        self.source, self.labels, self.target, self.room, self.sums = arrays
        start, self.rows, self.classes = arguments[5:]
        self.lanes = Lanes(context, builder, dtype, SIDE * dtype.bitwidth // 8)
        self.labels = builder.gep(self.labels, [start])
        last = builder.sub(self.rows, INDEX(1))
        self.starts = []
        for r in range(SIDE):
            row = builder.select(builder.icmp_signed("<", INDEX(r), last), INDEX(r), last)
            self.starts.append(builder.mul(builder.add(start, row), self.classes))
        self.mask = self.lanes.mask(INDEX(0), self.rows)

    def each_class(self):
        return cgutils.for_range(self.builder, self.classes)

    def place(self, k):
        return self.builder.mul(k, INDEX(SIDE))

    def column(self, k):
        """Return the entries of a class, a lane for each row."""
        builder, line = self.builder, ir.Constant(self.lanes.vector, ir.Undefined)
        for r, start in enumerate(self.starts):
            number = builder.load(builder.gep(self.source, [builder.add(start, k)]))
            line = builder.insert_element(line, number, _INT32(r))
        return line

    def write_column(self, line, k):
        builder = self.builder
        for r, start in enumerate(self.starts):
            builder.store(
                builder.extract_element(line, _INT32(r)), builder.gep(self.target, [builder.add(start, k)])
            )

    def own_class(self):
        """Return the label of each row."""
        numbers = ir.VectorType(INDEX, SIDE)
        line = self.builder.bitcast(self.labels, numbers.as_pointer())
        zero = ir.Constant(numbers, None)
        name = f"llvm.masked.load.v{SIDE}i64.p0"
        return self.lanes._intrinsic(name, numbers, line, _INT32(8), self.mask, zero)

    def read(self):
        """Copy the block, and return the largest entry of each row, and that of its label."""
        builder, lanes = self.builder, self.lanes
        labels = self.own_class()
        highest, own = (cgutils.alloca_once_value(builder, self.column(INDEX(0))) for _ in range(2))
        with self.each_class() as loop:
            keep_rolled(builder)
            line = self.column(loop.index)
            lanes.store(line, self.room, self.place(loop.index))
            best = builder.load(highest)
            builder.store(builder.select(builder.fcmp_ordered(">", line, best), line, best), highest)
            mine = builder.icmp_signed("==", labels, lanes._splat(loop.index, labels.type))
            builder.store(builder.select(mine, line, builder.load(own)), own)
        return builder.load(highest), builder.load(own)

    def powers(self, highest):
        """Replace each entry by its power of e less the row's largest; return the rows' sums."""
        builder, lanes = self.builder, self.lanes
        total = cgutils.alloca_once_value(builder, ir.Constant(lanes.wide, [0.0] * SIDE))
        with self.each_class() as loop:
            keep_rolled(builder)
            place = self.place(loop.index)
            power = decay_lanes(lanes, builder.fsub(lanes.load(self.room, place), highest))
            lanes.store(power, self.room, place)
            builder.store(builder.fadd(builder.load(total), lanes.widen(power)), total)
        return builder.load(total)

    def share(self, total):
        builder, lanes = self.builder, self.lanes
        inverse = builder.fdiv(ir.Constant(lanes.wide, [1.0] * SIDE), total)
        with self.each_class() as loop:
            keep_rolled(builder)
            power = lanes.widen(lanes.load(self.room, self.place(loop.index)))
            self.write_column(lanes.narrow(builder.fmul(power, inverse)), loop.index)

    def note(self, number, value, combine):
        """Write what every row has, and combine it with what the lanes hold of the blocks before."""
        builder = self.builder
        places = [
            builder.bitcast(builder.gep(self.sums, [INDEX(n * SIDE)]), value.type.as_pointer())
            for n in (number, number + 2)
        ]
        builder.store(value, places[0], align=8)
        builder.store(combine(builder.load(places[1], align=8), value), places[1], align=8)


@intrinsic
def _softmax_block(typing_context, source, labels, target, room, sums, start, rows, classes):
    def codegen(context, builder, signature, arguments):
        block = _Block(context, builder, signature, arguments)
        lanes = block.lanes
        highest, own = block.read()
        total = block.powers(highest)
        block.share(total)
        lag = builder.fsub(lanes.widen(highest), lanes.widen(own))
        none, one = (ir.Constant(lanes.wide, [number] * SIDE) for number in (0.0, 1.0))
        block.note(0, builder.select(block.mask, lag, none), builder.fadd)
        block.note(1, builder.select(block.mask, total, one), builder.fmul)
        return context.get_dummy_value()

    return types.void(source, labels, target, room, sums, types.intp, types.intp, types.intp), codegen


def _plain_softmax_block(source, labels, target, room, sums, start, rows, classes):
    """Write the softmax of some rows, at most ``SIDE``.

    Parameters
    ----------
    source, target : ndarray of float32 or float64, shape (N * K,)
    labels : ndarray of int64, shape (N,)
    room : ndarray of the dtype of source, shape (SIDE * K,) or more
        Scratch.
    sums : ndarray of float64, shape (4 * SIDE,) or more
        Outputs: of each row the largest entry less that of its label, and the sum of its powers, 0 and 1 where there is no
        row; then what these add to, and what those are multiplied into.
    start, rows, classes : int
        First row, their number, and K.
    """
    part = slice(start * classes, (start + rows) * classes)
    logits, here = source[part].reshape(rows, classes), labels[start : start + rows]
    highest = np.fmax.reduce(logits, axis=1)
    powers = decay(logits - highest[:, None])
    total = powers.sum(axis=1, dtype=np.float64)
    target[part] = (powers * (1.0 / total)[:, None]).reshape(-1)
    lag, totals, lags, products = sums[: 4 * SIDE].reshape(4, SIDE)
    lag[:], totals[:] = 0, 1
    lag[:rows] = highest.astype(np.float64) - logits[np.arange(rows), here]
    totals[:rows] = total
    lags += lag
    products *= totals


softmax_block = _plain_softmax_block if config.DISABLE_JIT else _softmax_block  # type: ignore[attr-defined]
