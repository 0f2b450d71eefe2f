"""Views of arrays, made inside compiled code without touching a reference count.

What a kernel is given outlives the call, so a view needs no share in its memory; taking one costs nothing, where
``reshape`` costs as much as a small product.
"""

import numpy as np
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array


def vector(arena, offset, size):
    """Return ``arena[offset : offset + size]``."""
    return arena[offset : offset + size]


def matrix(arena, offset, rows, columns):
    """Return a stretch of an arena as an array of shape (rows, columns)."""
    return arena[offset : offset + rows * columns].reshape(rows, columns)


def optional(array, like):
    """Return an array that a caller may leave out: an empty one, of the kind of ``like``, in place of None."""
    return like[:0] if array is None else array


def foreign(source):
    """Return the array that :func:`describe_array` described, with entries of a type the caller need not know."""
    return source


def describe_array(array):
    """Return address, shape and strides of a matrix, for :func:`foreign`; without the compiler, the matrix."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return array
    return np.array([array.ctypes.data, *array.shape, *array.strides], np.int64)


@intrinsic
def _borrowed(typing_context, arena, offset, shape):
    """Return an array of the given shape on the arena's memory, owned by nobody."""
    result = types.Array(arena.dtype, shape.count, "C")
    signature = result(arena, offset, types.UniTuple(types.intp, shape.count))

    def codegen(context, builder, signature, arguments):
        source = make_array(signature.args[0])(context, builder, arguments[0])
        item = context.get_abi_sizeof(context.get_data_type(arena.dtype))
        extents = cgutils.unpack_tuple(builder, arguments[2])
        strides, stride = [], context.get_constant(types.intp, item)
        for extent in reversed(extents):
            strides.insert(0, stride)
            stride = builder.mul(stride, extent)
        array = make_array(result)(context, builder)
        populate_array(
            array, builder.gep(source.data, [arguments[1]]), extents, strides,
            context.get_constant(types.intp, item), None,
        )  # fmt: skip
        return array._getvalue()

    return signature, codegen


@intrinsic
def _foreign(typing_context, source):
    """Return a matrix from its address, shape and strides, owned by nobody."""
    result = types.Array(types.uint8, 2, "A")

    def codegen(context, builder, signature, arguments):
        table = make_array(signature.args[0])(context, builder, arguments[0]).data
        where, *extents = (
            builder.load(builder.gep(table, [context.get_constant(types.intp, i)])) for i in range(5)
        )
        array = make_array(result)(context, builder)
        data = builder.inttoptr(where, array.data.type)
        populate_array(array, data, extents[:2], extents[2:], context.get_constant(types.intp, 1), None)
        return array._getvalue()

    return result(source), codegen


@intrinsic
def _flat(typing_context, array):
    """Return a C-contiguous array as one axis, owned by nobody."""
    result = types.Array(array.dtype, 1, "C")

    def codegen(context, builder, signature, arguments):
        source = make_array(array)(context, builder, arguments[0])
        item = context.get_constant(types.intp, array.dtype.bitwidth // 8)
        line = make_array(result)(context, builder)
        populate_array(line, source.data, [source.nitems], [item], item, None)
        return line._getvalue()

    return result(array), codegen


def _plain_flat(array):
    """Return a C-contiguous array as one axis."""
    return array.reshape(array.size)


flat = _plain_flat if config.DISABLE_JIT else _flat  # type: ignore[attr-defined]

if not config.DISABLE_JIT:  # type: ignore[attr-defined]

    @overload(optional, inline="always")
    def _optional(array, like):
        if isinstance(array, types.NoneType):
            return lambda array, like: like[:0]
        return lambda array, like: array

    @overload(foreign, inline="always")
    def _foreign_array(source):
        return lambda source: _foreign(source)

    @overload(vector, inline="always")
    def _vector(arena, offset, size):
        return lambda arena, offset, size: _borrowed(arena, offset, (size,))

    @overload(matrix, inline="always")
    def _matrix(arena, offset, rows, columns):
        return lambda arena, offset, rows, columns: _borrowed(arena, offset, (rows, columns))
