"""How vector code walks an array by its plan: the loops over pieces, rows and lines of columns."""

from contextlib import contextmanager

from numba.core import cgutils

from minibn.kernels.cpu.lanes import INDEX, keep_rolled

ROWS = 8
"""Rows summed in registers at once."""

AHEAD = 4
"""Groups of such rows that are asked for before they are summed."""


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
        strided = b.and_(b.not_(whole), b.icmp_signed("==", spread, length))
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

    def sum(self, arrays, body):
        """Walk the rows in groups of eight, then one by one.

        ``body(places, column, mask)`` writes the code for one line of columns of the rows at ``places``. Where one
        array is read, lines are masked only at the end of a row, which saves a fifth; with two that gains nothing.
        """
        b = self.builder
        grouped = b.and_(self.rows, INDEX(-ROWS))
        with self._pieces() as piece:
            start = b.add(self.start, b.mul(piece, self.positions))
            with loop(b, INDEX(0), grouped, ROWS) as row:
                places = [self._place(start, b.add(row, INDEX(r))) for r in range(ROWS)]
                behind = b.mul(self.stride, INDEX(AHEAD * ROWS))
                ahead = [(array, b.add(places[0], behind)) for array in arrays]
                whole = INDEX(0)
                if len(arrays) == 1:
                    whole = b.and_(self.width, INDEX(-self.lanes.count))
                    self._columns(places, INDEX(0), whole, body, ahead, masked=False)
                self._columns(places, whole, self.width, body, ahead)
            with loop(b, grouped, b.add(self.rows, INDEX(1))) as row:
                self._columns([self._place(start, row)], INDEX(0), self._width(row), body)

    def _columns(self, places, first, width, body, ahead=(), masked=True):
        """Take the lines of columns ``first`` to ``width`` of some rows."""
        b = self.builder
        with loop(b, first, width, self.lanes.count) as column:
            for array, place in ahead:
                self._read_ahead(array, b.add(place, b.mul(column, INDEX(ROWS))))
            mask = self.lanes.mask(column, width) if masked else None
            body([b.add(place, column) for place in places], column, mask)

    def _read_ahead(self, array, first):
        """Ask for as many lines as a step reads, one behind the other: memory is faster in its own order."""
        for k in range(ROWS):
            self.lanes.prefetch(array, self.builder.add(first, INDEX(k * self.lanes.count)))

    def write(self, target, large, body):
        """Walk the rows one by one and write ``body(place, column, mask)`` to each line of ``target``.

        Several rows at once would be slower: rows whose distance is a power of two share few cache sets. A
        large output with rows of whole lines is written past the caches; then the lines of a row begin at the
        first boundary of a cache line.
        """
        b, lanes = self.builder, self.lanes
        whole_lines = b.icmp_signed("==", b.and_(self.stride, INDEX(lanes.count - 1)), INDEX(0))
        stream = b.and_(large, whole_lines)
        with self._pieces() as piece:
            start = b.add(self.start, b.mul(piece, self.positions))
            first = b.select(stream, lanes.behind(target, start), INDEX(0))
            with loop(b, INDEX(0), b.add(self.rows, INDEX(1))) as row:
                place, width = self._place(start, row), self._width(row)
                with loop(b, first, width, lanes.count) as column:
                    self._write(target, stream, b.add(place, column), column, width, body)
        with b.if_then(stream):  # other threads see streamed lines only behind a fence
            b.fence("seq_cst")

    def _write(self, target, stream, place, column, width, body):
        """Write a line whole where it is, past the caches or not, and masked at the ends of a row."""
        b, lanes = self.builder, self.lanes
        inside = b.icmp_signed(">=", column, INDEX(0))
        whole = b.and_(inside, b.icmp_signed("<=", b.add(column, INDEX(lanes.count)), width))
        with b.if_else(whole, likely=True) as (then, otherwise):
            with then:
                value = body(place, column, None)
                with b.if_else(stream) as (streamed, cached):
                    with streamed:
                        lanes.stream(value, target, place)
                    with cached:
                        lanes.store(value, target, place)
            with otherwise:
                mask = lanes.mask(column, width)
                lanes.store(body(place, column, mask), target, place, mask)
