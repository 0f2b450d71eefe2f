"""Calls of kernels by address, with operands that a table names.

A function that is given the address of a kernel at run time need not be compiled together with it: its own machine
code stays small, only the kernels that are used are compiled, and every caller runs the very same machine code.
In plain Python, with the compiler switched off, the kernel itself takes the place of its address.
"""

from dataclasses import dataclass

import numba
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

MEMORIES = ("arena", "stats", "counts", "labels", "targets")
"""The arrays that operands lie in, in the order of the arguments of a dispatch."""

_INT = ir.IntType(64)


@dataclass(frozen=True)
class ArrayOperand:
    """An array on a stretch of memory.

    Attributes
    ----------
    memory : str
        One of :data:`MEMORIES`.
    column : int or None
        Column of the line that holds its first entry, negative there for no operand: an array without rows. None
        for an array that begins where the memory does.
    shape : tuple of tuple of (int or str)
        Each axis a product of columns of the line and of ``"rows"``.
    """

    memory: str
    column: int | None
    shape: tuple


@dataclass(frozen=True)
class NumberOperand:
    """A number from memory, behind the entry that a column of the line names.

    Attributes
    ----------
    memory : str
    column : int
    behind : int
        Entries behind that one.
    plus : int
        Added to it.
    flag : bool
        Whether the kernel takes it as a bool.
    """

    memory: str
    column: int
    behind: int = 0
    plus: int = 0
    flag: bool = False


@dataclass(frozen=True)
class Rows:
    """The number of rows of the batch, as an int."""


@dataclass(frozen=True)
class Flag:
    """A bool that is the same in every call."""

    value: bool


def address(function, *examples):
    """Return where the machine code of a kernel begins, compiling or loading it where that is needed.

    Parameters
    ----------
    function : numba.core.registry.CPUDispatcher
        A kernel, which lives as long as the process.
    *examples : ndarray, int, float or bool
        Arguments of the types that the call will have.

    Returns
    -------
    int
        The function itself when ``NUMBA_DISABLE_JIT=1``.
    """
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return function
    signature = tuple(numba.typeof(example) for example in examples)
    function.compile(signature)
    compiled = function.overloads[signature]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def addresses(size):
    """Return an empty table for addresses, in which 0 stands for none."""
    return [None] * size if config.DISABLE_JIT else np.zeros(size, np.int64)  # type: ignore[attr-defined]


def example(operand, memories):
    """Return an argument of the type that an operand has; ``memories`` are arrays by name."""
    if isinstance(operand, Rows | Flag):
        return getattr(operand, "value", 0)
    dtype = memories[operand.memory].dtype
    if isinstance(operand, ArrayOperand):
        return np.empty((1,) * len(operand.shape), dtype)
    return False if operand.flag else dtype.type(0).item()


def _call(builder, context, where, result, given, values):
    """Emit a call of the kernel at an address, and return its result."""
    callee = context.call_conv.get_function_type(result, given).as_pointer()
    status, value = context.call_conv.call_function(
        builder, builder.inttoptr(where, callee), result, given, values
    )
    with cgutils.if_unlikely(builder, status.is_error):
        context.call_conv.return_status_propagate(builder, status)
    return value


def _direct_call():
    """Return an intrinsic ``call(address, *arguments)`` for kernels that return nothing."""

    @intrinsic
    def call(typing_context, where, *arguments):
        def codegen(context, builder, signature, values):
            given = list(signature.args[1])
            _call(
                builder,
                context,
                values[0],
                types.none,
                given,
                cgutils.unpack_tuple(builder, values[1], len(given)),
            )
            return context.get_dummy_value()

        return types.void(where, types.StarArgTuple(arguments)), codegen

    return call


class _Operands:
    """Emits the operands of one line."""

    def __init__(self, context, builder, signature, values):
        self.context, self.builder, self.rows = context, builder, values[-1]
        arrays = zip(("line", *MEMORIES), signature.args[1:-1], values[1:-1], strict=True)
        self.arrays = {name: make_array(kind)(context, builder, value) for name, kind, value in arrays}
        self.dtypes = dict(zip(MEMORIES, (kind.dtype for kind in signature.args[2:-1]), strict=True))

    def _field(self, column):
        return self.builder.load(self.builder.gep(self.arrays["line"].data, [_INT(column)]))

    def _extent(self, factors):
        extent = _INT(1)
        for factor in factors:
            extent = self.builder.mul(extent, self.rows if factor == "rows" else self._field(factor))
        return extent

    def kind(self, operand):
        """Return the Numba type of an operand."""
        if isinstance(operand, Rows | Flag):
            return types.int64 if isinstance(operand, Rows) else types.boolean
        dtype = self.dtypes[operand.memory]
        if isinstance(operand, ArrayOperand):
            return types.Array(dtype, len(operand.shape), "C")
        return types.boolean if operand.flag else dtype

    def value(self, operand):
        """Return an operand's value."""
        if isinstance(operand, Rows):
            return self.rows
        if isinstance(operand, Flag):
            return ir.IntType(1)(operand.value)
        return self._array(operand) if isinstance(operand, ArrayOperand) else self._number(operand)

    def _number(self, operand):
        where = self.builder.add(self._field(operand.column), _INT(operand.behind))
        value = self.builder.load(self.builder.gep(self.arrays[operand.memory].data, [where]))
        if operand.flag:
            zero = self.context.get_constant(self.dtypes[operand.memory], 0)
            return self.builder.fcmp_ordered(">", value, zero)
        return self.builder.add(value, _INT(operand.plus)) if operand.plus else value

    def _array(self, operand):
        """Emit an array that owns nothing: its memory outlives the call."""
        context, builder, source = self.context, self.builder, self.arrays[operand.memory]
        start, extents = _INT(0), [self._extent(axis) for axis in operand.shape]
        if operand.column is not None:
            start = self._field(operand.column)
            missing = builder.icmp_signed("<", start, _INT(0))
            extents[0] = builder.select(missing, _INT(0), extents[0])
            start = builder.select(missing, _INT(0), start)
        size = context.get_abi_sizeof(context.get_data_type(self.dtypes[operand.memory]))
        strides, stride = [], _INT(size)
        for extent in reversed(extents):
            strides.insert(0, stride)
            stride = builder.mul(stride, extent)
        array = make_array(self.kind(operand))(context, builder)
        populate_array(array, builder.gep(source.data, [start]), extents, strides, _INT(size), None)
        return array._getvalue()


def dispatcher(table):
    """Return a function that calls a kernel with the operands of one line of a program.

    Parameters
    ----------
    table : dict of int to (bool, tuple of ArrayOperand or NumberOperand)
        For each code, the first entry of a line: whether its kernel returns a float, and the operands.

    Returns
    -------
    callable
        ``dispatch(address, line, arena, stats, counts, labels, targets, rows)``, for compiled code; returns what the
        kernel returned, or 0.
    """
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return _plain_dispatcher(table)

    @intrinsic
    def dispatch(typing_context, where, line, arena, stats, counts, labels, targets, rows):
        def codegen(context, builder, signature, values):
            operands = _Operands(context, builder, signature, values)
            result = cgutils.alloca_once_value(builder, ir.DoubleType()(0))
            end = builder.append_basic_block("done")
            switch, blocks = builder.switch(operands._field(0), end), {}
            for code, kind in table.items():
                if kind not in blocks:  # codes with the same operands share their machine code
                    blocks[kind] = builder.append_basic_block(f"code.{code}")
                switch.add_case(_INT(code), blocks[kind])
            for (returns, parts), block in blocks.items():
                builder.position_at_end(block)
                given, passed = [operands.kind(p) for p in parts], [operands.value(p) for p in parts]
                value = _call(
                    builder, context, values[0], types.float64 if returns else types.none, given, passed
                )
                if returns:
                    builder.store(value, result)
                builder.branch(end)
            builder.position_at_end(end)
            return builder.load(result)

        return types.float64(where, line, arena, stats, counts, labels, targets, rows), codegen

    return dispatch


def _plain_dispatcher(table):
    def dispatch(function, line, arena, stats, counts, labels, targets, rows):
        memories = dict(zip(MEMORIES, (arena, stats, counts, labels, targets), strict=True))
        returns, parts = table[int(line[0])]
        value = function(*(_plain(part, line, memories, rows) for part in parts))
        return value if returns else 0.0

    return dispatch


def _plain(operand, line, memories, rows):
    """Return the value of an operand, without the compiler."""
    if isinstance(operand, Rows | Flag):
        return getattr(operand, "value", rows)
    memory = memories[operand.memory]
    if isinstance(operand, NumberOperand):
        value = memory[line[operand.column] + operand.behind] + operand.plus
        return bool(value > 0) if operand.flag else value.item()
    shape = [
        int(np.prod([rows if f == "rows" else line[f] for f in axis], dtype=np.int64))
        for axis in operand.shape
    ]
    start = 0 if operand.column is None else int(line[operand.column])
    if start < 0:
        shape[0] = start = 0
    return memory[start : start + int(np.prod(shape, dtype=np.int64))].reshape(shape)


def _plain_call(function, *arguments):
    function(*arguments)


call = _plain_call if config.DISABLE_JIT else _direct_call()  # type: ignore[attr-defined]
"""``call(address, *arguments)``: call a kernel that returns nothing, from compiled code."""
