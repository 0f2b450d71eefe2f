"""Tables of one entry per position: cleared, expanded from one entry per channel, and folded back."""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import INDEX, Lanes, pointer_to
from minibn.kernels.cpu.positions import COPIES, GROUP, SPREAD
from minibn.kernels.cpu.walk import loop

_PLAN = types.UniTuple(types.intp, 6)


@intrinsic
def _clear(typing_context, table, plan):
    def codegen(context, builder, signature, arguments):
        entries = cgutils.unpack_tuple(builder, arguments[1], 6)
        count = builder.mul(builder.mul(entries[GROUP], entries[SPREAD]), entries[COPIES])
        start = pointer_to(context, builder, table, arguments[0])
        cgutils.memset(builder, start, builder.mul(count, INDEX(table.dtype.bitwidth // 8)), 0)
        return context.get_dummy_value()

    return types.void(table, _PLAN), codegen


def _plain_clear(table, plan):
    """Set the entries that a plan uses to 0."""
    table[: plan[GROUP] * plan[SPREAD] * plan[COPIES]] = 0


@intrinsic
def _expand(typing_context, table, plan, channels):
    def codegen(context, builder, signature, arguments):
        start = pointer_to(context, builder, table, arguments[0])
        entries = cgutils.unpack_tuple(builder, arguments[1], 6)
        spread, copies, channels = entries[SPREAD], entries[COPIES], arguments[2]
        with builder.if_then(builder.icmp_signed(">", spread, INDEX(1))):
            _spread(builder, start, spread, channels)
        period = builder.mul(channels, spread)
        size = builder.mul(period, INDEX(table.dtype.bitwidth // 8))
        with loop(builder, INDEX(1), copies) as copy:
            to = builder.gep(start, [builder.mul(copy, period)])
            cgutils.raw_memcpy(builder, to, start, size, 1)
        return context.get_dummy_value()

    return types.void(table, _PLAN, types.intp), codegen


def _spread(builder, table, spread, channels):
    """Repeat each entry, from the last one down, so that none is overwritten before it is read."""
    with loop(builder, INDEX(0), channels) as back:
        q = builder.sub(builder.sub(channels, back), INDEX(1))
        value, first = builder.load(builder.gep(table, [q])), builder.mul(q, spread)
        with loop(builder, INDEX(0), spread) as k:
            builder.store(value, builder.gep(table, [builder.add(first, k)]))


def _plain_expand(table, plan, channels):
    """Turn a table of one entry per channel into one of one entry per position, with its copies."""
    row = np.repeat(table[:channels], plan[SPREAD])
    table[: row.size * plan[COPIES]] = np.tile(row, plan[COPIES])


@intrinsic
def _fold(typing_context, table, plan, channels):
    def codegen(context, builder, signature, arguments):
        start = pointer_to(context, builder, table, arguments[0])
        entries = cgutils.unpack_tuple(builder, arguments[1], 6)
        spread, copies, channels = entries[SPREAD], entries[COPIES], arguments[2]
        _join_copies(Lanes(context, builder, table.dtype), start, builder.mul(channels, spread), copies)
        with builder.if_then(builder.icmp_signed(">", spread, INDEX(1))):
            _gather(builder, start, spread, channels)
        return context.get_dummy_value()

    return types.void(table, _PLAN, types.intp), codegen


def _join_copies(lanes, table, period, copies):
    """Add up the copies, a line of each at a time, whose sum stays in a register.

    Lines are whole, also the last: a masked one would wait for the line before it to be written.
    """
    builder = lanes.builder
    total = cgutils.alloca_once(builder, lanes.vector)
    with loop(builder, INDEX(0), period, lanes.count) as k:
        builder.store(lanes.load(table, k), total)
        with loop(builder, INDEX(1), copies) as copy:
            line = lanes.load(table, builder.add(k, builder.mul(copy, period)))
            builder.store(builder.fadd(builder.load(total), line), total)
        lanes.store(builder.load(total), table, k)


def _gather(builder, table, spread, channels):
    """Replace the entries of each channel by their sum."""
    with loop(builder, INDEX(0), channels) as q:
        first = builder.gep(table, [builder.mul(q, spread)])
        total = cgutils.alloca_once_value(builder, ir.Constant(ir.DoubleType(), 0.0))
        builder.store(ir.Constant(ir.DoubleType(), 0.0), total)
        with loop(builder, INDEX(0), spread) as k:
            builder.store(builder.fadd(builder.load(total), builder.load(builder.gep(first, [k]))), total)
        builder.store(builder.load(total), builder.gep(table, [q]))


def _plain_fold(table, plan, channels):
    """Undo the expansion for float64 sums: add up the entries of each channel, in a fixed order."""
    entries = table[: channels * plan[SPREAD] * plan[COPIES]]
    rows = entries.reshape(plan[COPIES], channels, plan[SPREAD])
    table[:channels] = rows.sum(axis=0).sum(axis=1)


@intrinsic
def _invert_deviations(typing_context, var, eps, begin, end, inverse):
    def codegen(context, builder, signature, arguments):
        lanes = Lanes(context, builder, var.dtype)
        source, target = (
            pointer_to(context, builder, kind, value)
            for kind, value in ((var, arguments[0]), (inverse, arguments[4]))
        )
        eps, begin, end = arguments[1:4]
        with loop(builder, INDEX(0), builder.sub(end, begin), lanes.count) as k:
            mask = lanes.mask(k, builder.sub(end, begin))
            total = builder.fadd(lanes.load(source, builder.add(begin, k), mask), lanes.splat(eps))
            lanes.store(lanes.inverse_root(total), target, k)
        return context.get_dummy_value()

    return types.void(var, types.float64, types.intp, types.intp, inverse), codegen


def _plain_invert_deviations(var, eps, begin, end, inverse):
    """Write 1 / sqrt(var + eps); 0 where that is 1 / 0, NaN where the variance overflowed.

    The zero makes a constant channel come out as beta, with zero gradient, also at ``eps = 0``; the NaN keeps
    an overflow from looking like a constant channel.
    """
    total = var[begin:end] + eps
    total[np.isinf(total)] = np.nan
    inverse[: end - begin] = np.where(total == 0, 0, 1 / np.sqrt(np.where(total == 0, 1, total)))


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
clear = _plain_clear if _PLAIN else _clear
expand = _plain_expand if _PLAIN else _expand
fold = _plain_fold if _PLAIN else _fold
invert_deviations = _plain_invert_deviations if _PLAIN else _invert_deviations
