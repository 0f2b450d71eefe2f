"""Sums of columns, and of their squares, that stay in registers down a few rows.

A strip of float32 is taken in four vectors, which become 32 bytes of float64 each: these are converted straight from
memory, where 64 bytes take a step more. Every other vector is added as value * 1 + sum, by the units that square and
not by those that convert and add. Together that saves a sixth of the time where the data lies in a cache.
"""

from llvmlite import ir
from numba.core import cgutils

from minibn.kernels.cpu.lanes import INDEX, LINE, Lanes, fenced
from minibn.kernels.cpu.walk import STRIP

_NARROW = LINE // 4
"""Bytes of float32 that become 32 of float64."""


class Moments:
    """Code that adds sums of columns in float64, around 0 or a shift, to tables.

    Parameters
    ----------
    context, builder
        Numba's target context and llvmlite's builder.
    dtype : numba type
    source, shift, total, square : llvmlite values
        Addresses of the array and of the tables; ``shift`` is None for 0.
    mark : float
        Added to a sum of squares of float64 values that are not all 0.
    """

    def __init__(self, context, builder, dtype, source, shift, total, square, mark):
        self.builder = builder
        self._whole = self._masked = Lanes(context, builder, dtype)
        if dtype.bitwidth == 32:
            self._whole = Lanes(context, builder, dtype, _NARROW)
        self._one = fenced(builder, ir.DoubleType()(1))  # or the compiler would leave out what it multiplies
        self._source, self._tables, self._mark = source, (shift, total, square), mark

    def columns(self, rows, column, mask):
        """Add the sums of a strip of columns, or of a masked line, over some rows of a walk."""
        lanes, width = (self._masked, self._masked.count) if mask else (self._whole, STRIP)
        shift, total, square = (table and self.builder.gep(table, [column]) for table in self._tables)
        offsets = [INDEX(k) for k in range(0, width, lanes.count)]
        parts = [_Part(lanes, self._one if k % 2 else None) for k in range(len(offsets))]
        shifts = [shift and lanes.widen(lanes.load(shift, k, mask)) for k in offsets]
        for part, value in zip(parts, self._values(lanes, rows.first, offsets, shifts, mask), strict=True):
            part.start(value)
        with rows.others() as place:
            for part, value in zip(parts, self._values(lanes, place, offsets, shifts, mask), strict=True):
                part.add(value)
        for part, k in zip(parts, offsets, strict=True):
            part.finish(total, square, k, self._mark)

    def _values(self, lanes, place, offsets, shifts, mask):
        """Load the parts of a row, as differences from their shifts."""
        b = self.builder
        values = [lanes.widen(lanes.load(self._source, b.add(place, k), mask)) for k in offsets]
        return [v if s is None else b.fsub(v, s) for v, s in zip(values, shifts, strict=True)]


class _Part:
    """The sum of some vectors and of their squares, and the bits that any of them has."""

    def __init__(self, lanes, one):
        self._lanes, self._builder = lanes, lanes.builder
        self._one = one and lanes.splat_wide(one)
        self._total, self._square, self._bits = (
            cgutils.alloca_once(self._builder, lanes.wide) for _ in range(3)
        )

    def start(self, value):
        b = self._builder
        b.store(value, self._total)
        b.store(b.fmul(value, value), self._square)
        b.store(value, self._bits)

    def add(self, value):
        b, lanes = self._builder, self._lanes
        b.store(self._sum(value, b.load(self._total)), self._total)
        b.store(lanes.multiply_add(value, value, b.load(self._square)), self._square)
        b.store(lanes.either(value, b.load(self._bits)), self._bits)

    def _sum(self, value, total):
        if self._one is None:
            return self._builder.fadd(total, value)
        return self._lanes.multiply_add(value, self._one, total)

    def finish(self, total, square, index, mark):
        b, lanes = self._builder, self._lanes
        lanes.accumulate(b.load(self._total), total, index)
        lanes.accumulate(lanes.marked(b.load(self._square), b.load(self._bits), mark), square, index)
