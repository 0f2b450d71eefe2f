"""The softmax of few classes, with rows side by side.

What a row gets does not depend on the rows beside it: its powers are added in the order of the classes.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.exponential import decay_lanes
from minibn.kernels.cpu.lanes import INDEX
from minibn.kernels.cpu.maths import decay
from minibn.kernels.cpu.side_by_side import SIDE, Block, data_of

FEW = 32
"""Classes from which a row is long enough for vectors along it; a block of fewer fits a scratch array."""


class _Softmax(Block):
    """Emits the passes of a softmax."""

    def __init__(self, context, builder, signature, arguments):
        source, labels, self.target, self.room, self.sums = data_of(
            context, builder, signature.args[:5], arguments[:5]
        )
        first, rows, classes = arguments[5:]
        labels, start = builder.gep(labels, [first]), builder.mul(first, classes)
        super().__init__(context, builder, signature.args[0].dtype, source, labels, start, rows, classes)

    def _place(self, k):
        return self.builder.mul(k, INDEX(SIDE))

    def read(self):
        """Copy the block, and return the largest entry of each row, and that of its label."""
        builder, labels = self.builder, self.own_classes()
        highest, own = (cgutils.alloca_once_value(builder, self.lowest) for _ in range(2))

        def play(k):
            line, best = self.column(k), builder.load(highest)
            self.lanes.store(line, self.room, self._place(k))
            builder.store(builder.select(builder.fcmp_ordered(">", line, best), line, best), highest)
            mine = builder.icmp_signed("==", labels, self.every(k))
            builder.store(builder.select(mine, line, builder.load(own)), own)

        self.each_class(play)
        return builder.load(highest), builder.load(own)

    def powers(self, highest):
        """Replace each entry by its power of e less the row's largest; return the rows' sums."""
        builder, lanes = self.builder, self.lanes
        total = cgutils.alloca_once_value(builder, ir.Constant(lanes.wide, [0.0] * SIDE))

        def play(k):
            power = decay_lanes(lanes, builder.fsub(lanes.load(self.room, self._place(k)), highest))
            lanes.store(power, self.room, self._place(k))
            builder.store(builder.fadd(builder.load(total), lanes.widen(power)), total)

        self.each_class(play)
        return builder.load(total)

    def share(self, total):
        """Write each power divided by the sum of its row."""
        builder, lanes = self.builder, self.lanes
        inverse = builder.fdiv(ir.Constant(lanes.wide, [1.0] * SIDE), total)

        def play(k):
            power = lanes.widen(lanes.load(self.room, self._place(k)))
            self.write_column(lanes.narrow(builder.fmul(power, inverse)), self.target, k)

        self.each_class(play)

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
        block = _Softmax(context, builder, signature, arguments)
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
