"""Vectors of one cache line, for loops that are written as LLVM code.

The loops of a batch norm hold several rows of a few columns in registers at once. The loop vectoriser does not
find that form by itself, and takes longer to compile what it finds.
"""

from llvmlite import ir
from numba.core import cgutils
from numba.np.arrayobj import make_array

LINE = 64
"""Bytes of a cache line, and of a vector."""

INDEX = ir.IntType(64)
_INT32 = ir.IntType(32)


def pointer_to(context, builder, array_type, array):
    """Return the address of the first element of an array."""
    return make_array(array_type)(context, builder, array).data


def keep_rolled(builder):
    """Keep the compiler from unrolling or vectorising the loop around this point, by an empty instruction.

    Unrolled eight times, as LLVM does it for some processors, short loops take long to compile and gain nothing.
    """
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)


def fenced(builder, value):
    """Return a float64 as it is; the compiler combines nothing before it with anything behind it."""
    kind = ir.DoubleType()
    function = ir.FunctionType(kind, [kind])
    return builder.call(
        cgutils.get_or_insert_function(builder.module, function, "llvm.arithmetic.fence.f64"), [value]
    )


class Lanes:
    """Vector code for one float dtype: loads and stores of a line, whole or masked.

    Parameters
    ----------
    context, builder
        Numba's target context and llvmlite's builder.
    dtype : numba type
        float32 or float64.
    line : int
        Bytes of a vector.
    """

    def __init__(self, context, builder, dtype, line=LINE):
        self.builder, self.size = builder, dtype.bitwidth // 8
        self.count = line // self.size
        self.element = context.get_value_type(dtype)
        self.vector = ir.VectorType(self.element, self.count)
        self.integers = ir.VectorType(ir.IntType(dtype.bitwidth), self.count)
        self.bits = ir.VectorType(ir.IntType(1), self.count)
        self.wide = ir.VectorType(ir.DoubleType(), self.count)
        self.name = f"v{self.count}f{dtype.bitwidth}"
        self.zero = ir.Constant(self.vector, [0.0] * self.count)

    def _intrinsic(self, name, result, *arguments):
        function = ir.FunctionType(result, [a.type for a in arguments])
        called = cgutils.get_or_insert_function(self.builder.module, function, name)
        return self.builder.call(called, arguments)

    def _line(self, pointer, index):
        return self.builder.bitcast(self.builder.gep(pointer, [index]), self.vector.as_pointer())

    def mask(self, start, width):
        """Return which of the columns from ``start`` on lie in [0, width); ``start`` may be negative."""
        numbers = ir.VectorType(_INT32, self.count)
        first, end = (self.spread(self.builder.trunc(n, _INT32), numbers) for n in (start, width))
        columns = self.builder.add(first, ir.Constant(numbers, list(range(self.count))))
        return self.builder.icmp_unsigned("<", columns, end)

    def any(self, mask):
        """Return whether a mask covers anything, as one bit."""
        bits = self.builder.bitcast(mask, ir.IntType(self.count))
        return self.builder.icmp_unsigned("!=", bits, ir.IntType(self.count)(0))

    def splat(self, value):
        """Return a line of one value."""
        return self.spread(value, self.vector)

    def splat_wide(self, value):
        """Return as many float64 lanes of one value."""
        return self.spread(value, self.wide)

    def splat_bit(self, value):
        """Return a mask of one bit."""
        return self.spread(value, self.bits)

    def spread(self, value, vector):
        """Return a vector of some type whose entries are all one value."""
        undefined = ir.Constant(vector, ir.Undefined)
        first = self.builder.insert_element(undefined, value, _INT32(0))
        return self.builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(_INT32, vector.count), None)
        )

    def load(self, pointer, index, mask=None):
        """Return the line at ``pointer[index]``; 0 outside of the mask, where nothing is read."""
        line = self._line(pointer, index)
        if mask is None:
            return self.builder.load(line, align=self.size)
        name = f"llvm.masked.load.{self.name}.p0"
        return self._intrinsic(name, self.vector, line, _INT32(self.size), mask, self.zero)

    def prefetch(self, pointer, index):
        """Ask for the line at ``pointer[index]``, which may lie beyond the end of the array, into the second cache."""
        address = self.builder.gep(pointer, [index])
        self._intrinsic("llvm.prefetch.p0", ir.VoidType(), address, _INT32(0), _INT32(2), _INT32(1))

    def store(self, value, pointer, index, mask=None):
        """Write the line at ``pointer[index]``, or what the mask covers of it."""
        line = self._line(pointer, index)
        if mask is None:
            self.builder.store(value, line, align=self.size)
        else:
            name = f"llvm.masked.store.{self.name}.p0"
            self._intrinsic(name, ir.VoidType(), value, line, _INT32(self.size), mask)

    def stream(self, value, pointer, index):
        """Write the aligned line at ``pointer[index]`` past the caches, without reading it first."""
        store = self.builder.store(value, self._line(pointer, index), align=LINE)
        store.set_metadata("nontemporal", self.builder.module.add_metadata([_INT32(1)]))

    def multiply_add(self, a, b, c):
        """Return a * b + c, rounded once where the machine can."""
        kind = a.type
        name = f"llvm.fmuladd.v{self.count}f{64 if kind == self.wide else 32}"
        return self._intrinsic(name, kind, a, b, c)

    def widen(self, value):
        """Return a line as float64."""
        return self.builder.fpext(value, self.wide) if self.size == 4 else value

    def narrow(self, value):
        """Return float64 lanes in the dtype of the vectors."""
        return self.builder.fptrunc(value, self.vector) if self.size == 4 else value

    def accumulate(self, value, pointer, index):
        """Add float64 values, one for each lane, to the sums at ``pointer[index]``."""
        place = self.builder.bitcast(self.builder.gep(pointer, [index]), self.wide.as_pointer())
        total = self.builder.fadd(self.builder.load(place, align=8), value)
        self.builder.store(total, place, align=8)

    def inverse_root(self, value):
        """Return 1 / sqrt(value), but 0 at 0 and NaN at infinity."""
        one, infinity, nan = (
            ir.Constant(self.vector, [number] * self.count) for number in (1.0, float("inf"), float("nan"))
        )
        root = self._intrinsic(f"llvm.sqrt.{self.name}", self.vector, value)
        inverse = self.builder.fdiv(one, root)
        inverse = self.builder.select(self.builder.fcmp_ordered("==", value, infinity), nan, inverse)
        return self.builder.select(self.builder.fcmp_ordered("==", value, self.zero), self.zero, inverse)

    def either(self, a, b):
        """Return the bits that either of two float64 vectors has; for float32 any of the two: nothing asks for them."""
        if self.size == 4:
            return a
        first, second = (self.builder.bitcast(value, self.integers) for value in (a, b))
        return self.builder.bitcast(self.builder.or_(first, second), self.wide)

    def marked(self, total, bits, mark):
        """Return a sum of squares, plus a small mark where a value is not 0 though its float64 square may be.

        ``bits`` are those of all values. Squares of float32 numbers cannot vanish in float64, and get no mark.
        """
        if self.size == 4:
            return total
        some = self.builder.fcmp_unordered("!=", bits, self.zero)  # -0 is 0
        marks = self.builder.select(some, ir.Constant(self.vector, [mark] * self.count), self.zero)
        return self.builder.fadd(total, marks)

    def behind(self, pointer, index):
        """Return minus how many elements ``pointer[index]`` lies behind a line boundary."""
        address = self.builder.ptrtoint(self.builder.gep(pointer, [index]), INDEX)
        behind = self.builder.and_(address, INDEX(LINE - 1))
        return self.builder.neg(self.builder.udiv(behind, INDEX(self.size)))
