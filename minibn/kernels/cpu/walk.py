"""How vector code walks an array by its plan: the loops over pieces, rows and lines of columns."""

from contextlib import contextmanager

from numba.core import cgutils

from minibn.kernels.cpu.lanes import INDEX, keep_rolled

ROWS = 8
"""Rows summed in registers at once."""

AHEAD = 4
"""Groups of such rows that are asked for before they are summed."""

NEAR = 1 << 21
"""Bytes up to which an output is near enough for two rows at once."""

STREAMED = 1 << 25
"""Bytes from which an output is written past the caches: reading 32 MB first costs more than it saves."""

STRIP = 16
"""Columns whose sums are in registers at once: where there are many rows, the walked ones are a multiple wide."""


@contextmanager
def loop(builder, start, stop, step=1):
    """Write a loop around the code in the context, which gets the index. It stays as it is written."""
    with cgutils.for_range_slice(builder, start, stop, INDEX(step), INDEX) as (index, _):
        keep_rolled(builder)
        yield index


class Walk:
    """The extents of a sweep, computed as in :func:`minibn.kernels.cpu.positions.extents`.

    Parameters
    ----------
    lanes : Lanes
    plan, first, last, begin, end : llvmlite values
        As in ``extents``; plan is a tuple.
    """

    def __init__(self, lanes, plan, first, last, begin, end):
        self.lanes, self.builder = lanes, lanes.builder
        b = self.builder
        channels, length, group, spread, copies, _ = cgutils.unpack_tuple(b, plan, 6)
        self.positions, rows = b.mul(channels, length), b.sub(last, first)
        table = b.mul(b.mul(group, spread), copies)
        whole = b.icmp_signed("==", group, channels)
        size = b.select(whole, b.mul(rows, self.positions), length)
        strided = self.strided = b.and_(b.not_(whole), b.icmp_signed("==", spread, length))
        wide = b.mul(b.sub(end, begin), spread)
        self.pieces = b.select(b.or_(whole, strided), INDEX(1), rows)
        self.start = b.mul(b.add(b.mul(first, channels), begin), length)
        self.rows = b.select(strided, rows, b.sdiv(size, table))
        self.stride = b.select(strided, self.positions, table)
        self.width = b.select(strided, wide, table)
        self.rest = b.select(strided, INDEX(0), b.srem(size, table))

    def _pieces(self):
        return loop(self.builder, INDEX(0), self.pieces)

    def _place(self, start, row):
        return self.builder.add(start, self.builder.mul(row, self.stride))

    def _width(self, row):
        last = self.builder.icmp_signed("==", row, self.rows)
        return self.builder.select(last, self.rest, self.width)

    def down(self, array, body):
        """Walk down eight rows at a time, one strip of columns after the other, and then what is left, in lines.

        ``body(rows, column, mask)`` writes the code for some :class:`_Rows` of a strip, or of a masked line.
        """
        b = self.builder
        with self._pieces() as piece, loop(b, INDEX(0), b.add(self.rows, INDEX(ROWS)), ROWS) as row:
            first = self._smaller(row, self.rows)
            left = b.sub(self.rows, first)  # 0 where the last row, which is shorter, is all that is left
            count = b.select(b.icmp_signed(">", left, INDEX(0)), self._smaller(left, INDEX(ROWS)), INDEX(1))
            place = self._place(b.add(self.start, b.mul(piece, self.positions)), first)
            width = self._width(first)
            whole = b.and_(width, INDEX(-STRIP))
            with loop(b, INDEX(0), whole, STRIP) as column:
                body(_Rows(self, array, place, count, column), column, None)
            with loop(b, whole, width, self.lanes.count) as column:
                body(_Rows(self, None, place, count, column), column, self.lanes.mask(column, width))

    def _smaller(self, a, b):
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def sum(self, arrays, body):
        """Walk the rows in groups of eight, then one by one.

        ``body(places, column, mask)`` writes the code for one line of columns of the rows at ``places``.
        """
        b = self.builder
        grouped = b.and_(self.rows, INDEX(-ROWS))
        with self._pieces() as piece:
            start = b.add(self.start, b.mul(piece, self.positions))
            with loop(b, INDEX(0), grouped, ROWS) as row:
                places = [self._place(start, b.add(row, INDEX(r))) for r in range(ROWS)]
                behind = b.mul(self.stride, INDEX(AHEAD * ROWS))
                ahead = [(array, b.add(places[0], behind)) for array in arrays]
                self._columns(places, self.width, body, ahead)
            with loop(b, grouped, b.add(self.rows, INDEX(1))) as row:
                self._columns([self._place(start, row)], self._width(row), body)

    def _columns(self, places, width, body, ahead=()):
        """Take the lines of columns of some rows."""
        b = self.builder
        with loop(b, INDEX(0), width, self.lanes.count) as column:
            for array, place in ahead:
                self._read_ahead(array, b.add(place, b.mul(column, INDEX(ROWS))))
            body([b.add(place, column) for place in places], column, self.lanes.mask(column, width))

    def _read_ahead(self, array, first):
        """Ask for as many lines as a step reads, one behind the other: memory is faster in its own order."""
        for k in range(ROWS):
            self.lanes.prefetch(array, self.builder.add(first, INDEX(k * self.lanes.count)))

    def write(self, target, size, body):
        """Walk the rows and write ``body(places, column, mask)``, one line for each place, to ``target``.

        ``size`` is that of the output, in bytes. Two rows are written at once where it is at most :data:`NEAR`, and
        so share what is read from the tables; where it is more that is slower: rows whose distance is a power of two
        share few cache sets. A large output with rows of whole lines is written past the caches; then the lines of a
        row begin at the first boundary of a cache line.
        """
        b, lanes = self.builder, self.lanes
        whole_lines = b.icmp_signed("==", b.and_(self.stride, INDEX(lanes.count - 1)), INDEX(0))
        stream = b.and_(b.icmp_signed(">=", size, INDEX(STREAMED)), whole_lines)
        near = b.icmp_signed("<=", size, INDEX(NEAR))
        paired = b.select(near, b.and_(self.rows, INDEX(-2)), INDEX(0))
        with self._pieces() as piece:
            start = b.add(self.start, b.mul(piece, self.positions))
            with loop(b, INDEX(0), paired, 2) as row:
                places = [self._place(start, b.add(row, INDEX(r))) for r in range(2)]
                self._lines(target, places, INDEX(0), self.width, body)
            first = b.select(stream, lanes.behind(target, start), INDEX(0))
            with loop(b, paired, b.add(self.rows, INDEX(1))) as row:
                self._lines(target, [self._place(start, row)], first, self._width(row), body, stream)
        with b.if_then(stream):  # other threads see streamed lines only behind a fence
            b.fence("seq_cst")

    def _lines(self, target, places, first, width, body, stream=None):
        """Write the lines of some rows: whole where they are, past the caches or not, and masked at the ends."""
        b, lanes = self.builder, self.lanes
        with loop(b, first, width, lanes.count) as column:
            here = [b.add(place, column) for place in places]
            inside = b.icmp_signed(">=", column, INDEX(0))
            whole = b.and_(inside, b.icmp_signed("<=", b.add(column, INDEX(lanes.count)), width))
            with b.if_else(whole, likely=True) as (then, otherwise):
                with then:
                    self._store(body(here, column, None), target, here, stream)
                with otherwise:
                    mask = lanes.mask(column, width)
                    for value, place in zip(body(here, column, mask), here, strict=True):
                        lanes.store(value, target, place, mask)

    def _store(self, values, target, places, stream):
        if stream is None:
            for value, place in zip(values, places, strict=True):
                self.lanes.store(value, target, place)
            return
        with self.builder.if_else(stream) as (streamed, cached):
            with streamed:
                self.lanes.stream(values[0], target, places[0])
            with cached:
                self.lanes.store(values[0], target, places[0])


class _Rows:
    """Some columns of up to eight rows, and as many lines that are asked for ahead, one behind the other in memory.

    Where the columns walked are only a part of every row, the same columns of later rows are asked for.
    """

    def __init__(self, walk, array, place, count, column):
        self._walk, self._array, self._count = walk, array, count
        b = self._builder = walk.builder
        self.first = b.add(place, column)
        behind = b.add(place, b.mul(walk.stride, INDEX(AHEAD * ROWS)))
        self._ahead = b.add(behind, b.mul(column, b.select(walk.strided, INDEX(1), INDEX(ROWS))))
        self._step = b.select(walk.strided, walk.stride, INDEX(STRIP))

    @contextmanager
    def others(self):
        """Write a loop over the rows behind the first one, which gets their places."""
        b = self._builder
        self._read_ahead(INDEX(0))
        with loop(b, INDEX(1), self._count) as row:
            self._read_ahead(row)
            yield b.add(self.first, b.mul(row, self._walk.stride))

    def _read_ahead(self, row):
        if self._array is None:
            return
        b, lanes = self._builder, self._walk.lanes
        first = b.add(self._ahead, b.mul(row, self._step))
        for k in range(0, STRIP, lanes.count):
            lanes.prefetch(self._array, b.add(first, INDEX(k)))
