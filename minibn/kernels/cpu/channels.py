"""Loops over channels, eight at a time in float64: what stands between the sweeps over rows, as vector code.

Channels begin to end of an array stand at the beginning of a table. The loop vectoriser would find these loops too,
but takes longer to compile each than all of them take here. In plain Python they run on NumPy slices.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import INDEX, Lanes, pointer_to
from minibn.kernels.cpu.walk import loop

VARIED = 1e-300
"""Added to a sum of squares of float64 where a value differs from its shift, so that 0 means constant."""

UNDERFLOW = 1e-280
"""Below this a float64 sum of squares has lost digits."""

FAR = 256.0
"""Squared mean over variance from which sums around 0 lose more than two of their sixteen digits."""

_AT_ONCE = 8


class _Channels:
    """Eight channels of some operands: read as float64, and written in the dtype of the array or table."""

    def __init__(self, context, builder, kinds, values, begin, end):
        self.builder, self._begin, self._count = builder, begin, builder.sub(end, begin)
        self.lanes = Lanes(context, builder, types.float64, _AT_ONCE * 8)
        self.scalars, self._arrays = [], []
        for kind, value in zip(kinds, values, strict=True):
            if isinstance(kind, types.Array):
                lanes = Lanes(context, builder, kind.dtype, _AT_ONCE * kind.dtype.bitwidth // 8)
                self._arrays.append((pointer_to(context, builder, kind, value), lanes))
            else:
                self.scalars.append(self.lanes.splat(value))

    def each(self, body):
        """Write a loop around ``body(self, *scalars)``; return whether a mask that it returned covers any channel."""
        found = cgutils.alloca_once_value(self.builder, ir.Constant(self.lanes.bits, None))
        with loop(self.builder, INDEX(0), self._count, _AT_ONCE) as index:
            self._table, self._array = index, self.builder.add(self._begin, index)
            self._mask = self.lanes.mask(index, self._count)
            mask = body(self, *self.scalars)
            if mask is not None:
                mask = self.builder.and_(mask, self._mask)
                self.builder.store(self.builder.or_(self.builder.load(found), mask), found)
        return self.lanes.any(self.builder.load(found))

    def _read(self, number, place):
        pointer, lanes = self._arrays[number]
        return lanes.widen(lanes.load(pointer, place, self._mask))

    def _write(self, number, place, value, mask):
        pointer, lanes = self._arrays[number]
        lanes.store(lanes.narrow(value), pointer, place, mask)

    def table(self, number):
        """Read from the table that is the array operand of this number."""
        return self._read(number, self._table)

    def array(self, number):
        """Read from the array that is the array operand of this number."""
        return self._read(number, self._array)

    def to_table(self, number, value):
        """Write to the table that is the array operand of this number, and behind its last channel."""
        self._write(number, self._table, value, None)

    def to_array(self, number, value):
        """Write to the array that is the array operand of this number."""
        self._write(number, self._array, value, self._mask)

    def rounded(self, number, value):
        """Return values as the array operand of this number would hold them."""
        lanes = self._arrays[number][1]
        return lanes.widen(lanes.narrow(value))

    def constant(self, number):
        """Return a number as float64 values."""
        return ir.Constant(self.lanes.vector, [number] * _AT_ONCE)


def _over_channels(body):
    """Return an intrinsic ``f(begin, end, *operands)`` of arrays, tables and, as float64, scalars.

    It returns whether the mask that ``body`` may return covers any channel.
    """

    @intrinsic
    def over_channels(typing_context, begin, end, *operands):
        kinds = [kind if isinstance(kind, types.Array) else types.float64 for kind in operands]

        def codegen(context, builder, signature, arguments):
            begin, end, values = arguments
            channels = _Channels(context, builder, kinds, cgutils.unpack_tuple(builder, values), begin, end)
            return channels.each(body)

        return types.boolean(types.intp, types.intp, types.StarArgTuple.from_types(kinds)), codegen

    return over_channels


def _center(c, share):
    b, total = c.builder, c.table(1)
    mean = b.fmul(total, share)
    squares = b.fsub(c.table(2), b.fmul(total, mean))
    c.to_table(1, b.fadd(c.table(0), mean))
    c.to_table(2, squares)
    far = b.fcmp_ordered(">", b.fmul(total, mean), b.fmul(c.constant(FAR), squares))
    c.to_table(0, b.select(far, c.constant(1.0), c.lanes.zero))
    return far


def _plain_center(begin, end, shift, sums, squares, share):
    """Turn sums around a shift, and sums of squares around it, into means and sums of squared deviations.

    The shifts that are too far away, see :data:`FAR`, become 1, all others 0; return whether there is one.
    """
    n = end - begin
    mean = sums[:n] * share
    between = sums[:n] * mean
    squares[:n] -= between
    sums[:n] = shift[:n] + mean
    shift[:n] = between > FAR * squares[:n]
    return bool(shift[:n].any())


def _merge(c, weight, product, before):
    b, lanes = c.builder, c.lanes
    old, new, block = c.array(0), c.table(2), c.table(3)
    delta = b.fsub(new, old)
    mark = b.select(b.fcmp_unordered("!=", delta, lanes.zero), c.constant(VARIED), lanes.zero)
    between = b.fadd(b.fmul(b.fmul(delta, delta), product), mark)
    first = b.fcmp_ordered("==", before, lanes.zero)
    c.to_array(0, b.select(first, new, lanes.multiply_add(delta, weight, old)))
    c.to_array(1, b.select(first, block, b.fadd(c.array(1), b.fadd(block, between))))


def _plain_merge(begin, end, mean, square, block_mean, block_square, weight, product, before):
    """Merge means and sums of squared deviations of a block into those of the ``before`` values before it."""
    n = end - begin
    if before == 0:
        mean[begin:end], square[begin:end] = block_mean[:n], block_square[:n]
        return
    delta = block_mean[:n] - mean[begin:end]
    mean[begin:end] += delta * weight
    square[begin:end] += block_square[:n] + (delta * delta * product + VARIED * (delta != 0.0))


def _finish(c, share):
    b, lanes, squares = c.builder, c.lanes, c.array(0)
    lost = b.and_(
        b.fcmp_ordered("<", squares, c.constant(UNDERFLOW)), b.fcmp_ordered("!=", squares, lanes.zero)
    )
    c.to_array(0, b.fmul(b.select(lost, c.constant(float("nan")), squares), share))


def _plain_finish(begin, end, squares, share):
    """Turn sums of squares into variances: NaN where squares underflowed, better visible than wrong."""
    part = squares[begin:end]
    part[(part != 0.0) & (part < UNDERFLOW)] = np.nan  # a constant channel has exactly 0
    part *= share


def _affine(c):
    b, lanes, mean = c.builder, c.lanes, c.array(2)
    factor, middle = b.fmul(c.array(0), c.table(3)), c.rounded(4, mean)
    c.to_table(4, mean)
    c.to_table(5, factor)
    c.to_table(6, lanes.multiply_add(b.fsub(middle, mean), factor, c.array(1)))


def _plain_affine(begin, end, gamma, beta, mean, inverse, center, scale, shift):
    """Write factors such that (x - center) * scale + shift = y."""
    n, middle = end - begin, mean[begin:end]
    factor = gamma[begin:end] * inverse[:n]
    center[:n], scale[:n] = middle, factor
    shift[:n] = beta[begin:end] + (center[:n].astype(np.float64) - middle) * factor


def _tilt(c, share):
    b, lanes = c.builder, c.lanes
    mean, inverse, total = c.array(0), c.table(1), c.table(2)
    rest = b.fsub(c.rounded(4, mean), mean)
    product = lanes.multiply_add(b.fmul(rest, inverse), total, c.table(3))
    mean_dy = b.fmul(total, share)
    steepness = b.fneg(b.fmul(b.fmul(product, inverse), share))
    c.to_table(3, product)
    c.to_table(4, mean_dy)
    c.to_table(5, steepness)
    c.to_table(6, lanes.multiply_add(rest, steepness, b.fsub(c.rounded(4, mean_dy), mean_dy)))


def _plain_tilt(begin, end, mean, inverse, dy_sum, product_sum, dy_mean, slope, offset, share):
    """Write factors such that dx = (dy - dy_mean + (x - center) * slope + offset) * scale."""
    n, dtype = end - begin, dy_mean.dtype
    rest = mean[begin:end].astype(dtype).astype(np.float64) - mean[begin:end]
    product_sum[:n] += rest * inverse[:n] * dy_sum[:n]
    mean_dy = dy_sum[:n] * share
    steepness = -(product_sum[:n] * inverse[:n] * share)
    dy_mean[:n], slope[:n] = mean_dy, steepness
    offset[:n] = (dy_mean[:n].astype(np.float64) - mean_dy) + rest * steepness


def _add(c):
    for table, sums in ((0, 2), (1, 3)):
        c.to_table(table, c.builder.fadd(c.table(table), c.table(sums)))


def _plain_add(begin, end, first, second, to_first, to_second):
    """Add two tables to two others."""
    n = end - begin
    first[:n] += to_first[:n]
    second[:n] += to_second[:n]


def _copy(c):
    c.to_array(1, c.table(0))


def _plain_copy(begin, end, table, array):
    """Write a table to channels begin to end of an array, in the dtype of that."""
    array[begin:end] = table[: end - begin]


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
center_sums = _plain_center if _PLAIN else _over_channels(_center)
merge_sums = _plain_merge if _PLAIN else _over_channels(_merge)
finish_squares = _plain_finish if _PLAIN else _over_channels(_finish)
affine_factors = _plain_affine if _PLAIN else _over_channels(_affine)
tilt_factors = _plain_tilt if _PLAIN else _over_channels(_tilt)
add_sums = _plain_add if _PLAIN else _over_channels(_add)
copy_channels = _plain_copy if _PLAIN else _over_channels(_copy)
