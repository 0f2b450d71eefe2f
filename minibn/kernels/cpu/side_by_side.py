"""Rows side by side: vectors whose lanes hold the entries of one class, each of another row.

Where a row has few classes, vectors along it would be nearly empty.
"""

from llvmlite import ir
from numba.core import cgutils
from numba.np.arrayobj import make_array

from minibn.kernels.cpu.lanes import INDEX, Lanes, keep_rolled

SIDE = 16
"""Rows of a block."""

_INT32 = ir.IntType(32)
_LABELS = ir.VectorType(INDEX, SIDE)


def data_of(context, builder, kinds, arrays):
    """Return the addresses of some arrays' first entries."""
    return [make_array(k)(context, builder, a).data for k, a in zip(kinds, arrays, strict=True)]


class Block:
    """Emits passes over a block of rows of a matrix; lanes beyond the last row repeat it.

    Parameters
    ----------
    context, builder
        Numba's target context and llvmlite's builder.
    dtype : numba type
        float32 or float64.
    source, labels : llvmlite values
        Addresses of the matrix, and of the labels of the block.
    start, rows, classes : llvmlite values
        Where the block begins in the matrix; its rows, 1 to ``SIDE``; entries of a row.
    """

    def __init__(self, context, builder, dtype, source, labels, start, rows, classes):
        self.builder, self.source, self.labels, self.classes = builder, source, labels, classes
        self.lanes = Lanes(context, builder, dtype, SIDE * dtype.bitwidth // 8)
        self.lowest = ir.Constant(self.lanes.vector, [float("-inf")] * SIDE)
        self.mask = self.lanes.mask(INDEX(0), rows)
        last = builder.sub(rows, INDEX(1))
        taken = [
            builder.select(builder.icmp_signed("<", INDEX(r), last), INDEX(r), last) for r in range(SIDE)
        ]
        self.starts = [builder.add(start, builder.mul(row, classes)) for row in taken]

    def each_class(self, play):
        """Call ``play(k)`` for every class; the loop stays as it is written."""
        with cgutils.for_range(self.builder, self.classes) as loop:
            keep_rolled(self.builder)
            play(loop.index)

    def column(self, k):
        """Return the entries of a class."""
        line = ir.Constant(self.lanes.vector, ir.Undefined)
        for r, start in enumerate(self.starts):
            number = self.builder.load(self.builder.gep(self.source, [self.builder.add(start, k)]))
            line = self.builder.insert_element(line, number, _INT32(r))
        return line

    def write_column(self, line, target, k):
        """Write the entries of a class to a matrix like the source."""
        for r, start in enumerate(self.starts):
            place = self.builder.gep(target, [self.builder.add(start, k)])
            self.builder.store(self.builder.extract_element(line, _INT32(r)), place)

    def own_classes(self):
        """Return the label of each row."""
        line = self.builder.bitcast(self.labels, _LABELS.as_pointer())
        kinds = [line.type, _INT32, self.mask.type, _LABELS]
        load = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(_LABELS, kinds), f"llvm.masked.load.v{SIDE}i64.p0"
        )
        return self.builder.call(load, [line, _INT32(8), self.mask, ir.Constant(_LABELS, None)])

    def every(self, k):
        """Return a class for each row."""
        return self.lanes.spread(k, _LABELS)
