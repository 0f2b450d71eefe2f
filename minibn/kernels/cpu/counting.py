"""How many rows of a block are classified right."""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import INDEX
from minibn.kernels.cpu.side_by_side import SIDE, Block, data_of


def _winners(block):
    """Return the class of the first largest entry of each row; NaN counts as largest, as in NumPy."""
    builder = block.builder
    highest, winner = (
        cgutils.alloca_once_value(builder, line) for line in (block.lowest, block.every(INDEX(0)))
    )

    def play(k):
        line, best = block.column(k), builder.load(highest)
        larger = builder.fcmp_unordered(">", line, best)
        larger = builder.and_(larger, builder.fcmp_ordered("ord", best, best))
        builder.store(builder.select(larger, line, best), highest)
        builder.store(builder.select(larger, block.every(k), builder.load(winner)), winner)

    block.each_class(play)
    return builder.load(winner)


@intrinsic
def _count_right(typing_context, output, labels, start, first, rows, classes):
    def codegen(context, builder, signature, arguments):
        source, own = data_of(context, builder, signature.args[:2], arguments[:2])
        start, first, rows, classes = arguments[2:]
        own = builder.gep(own, [first])
        block = Block(context, builder, signature.args[0].dtype, source, own, start, rows, classes)
        right = builder.icmp_signed("==", _winners(block), block.own_classes())
        bits = builder.bitcast(builder.and_(right, block.mask), ir.IntType(SIDE))
        return builder.zext(builder.ctpop(bits), INDEX)

    return types.intp(output, labels, types.intp, types.intp, types.intp, types.intp), codegen


def _plain_count_right(output, labels, start, first, rows, classes):
    """Return how many rows of a block are classified right.

    Parameters
    ----------
    output : ndarray of float32 or float64, 1-D
    labels : ndarray of int64, shape (N,)
    start, first : int
        Where the block begins in ``output``, and in ``labels``.
    rows : int
        At least 1, at most ``SIDE``.
    classes : int

    Returns
    -------
    int
    """
    block = output[start : start + rows * classes].reshape(rows, classes)
    return int(np.count_nonzero(block.argmax(axis=1) == labels[first : first + rows]))


count_right = _plain_count_right if config.DISABLE_JIT else _count_right  # type: ignore[attr-defined]
