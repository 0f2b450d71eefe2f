"""Views of arrays, made inside compiled code without touching a reference count.

What a kernel is given outlives the call, so a view needs no share in its memory; taking one costs nothing, where
``reshape`` costs as much as a small product.
"""

import ctypes

import numpy as np
from numba import config, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


def _view(context, builder, kind, data, extents, strides=None):
    """Return an array on memory that it does not own; C-contiguous where no strides are given."""
    item = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    if strides is None:
        strides, stride = [], item
        for extent in reversed(extents):
            strides.insert(0, stride)
            stride = builder.mul(stride, extent)
    array = make_array(kind)(context, builder)
    populate_array(array, data, extents, strides, item, None)
    return array._getvalue()


@intrinsic
def _vector(typing_context, arena, offset, size):
    def codegen(context, builder, signature, arguments):
        source = make_array(arena)(context, builder, arguments[0])
        data = builder.gep(source.data, [arguments[1]])
        return _view(context, builder, signature.return_type, data, [arguments[2]])

    return types.Array(arena.dtype, 1, "C")(arena, types.intp, types.intp), codegen


def _plain_vector(arena, offset, size):
    """Return ``arena[offset : offset + size]``."""
    return arena[offset : offset + size]


@intrinsic
def _flat(typing_context, array):
    def codegen(context, builder, signature, arguments):
        source = make_array(array)(context, builder, arguments[0])
        return _view(context, builder, signature.return_type, source.data, [source.nitems])

    return types.Array(array.dtype, 1, "C")(array), codegen


def _plain_flat(array):
    """Return a C-contiguous array as one axis."""
    return array.reshape(array.size)


@intrinsic
def _optional(typing_context, array, like):
    missing = isinstance(array, types.NoneType)

    def codegen(context, builder, signature, arguments):
        source = make_array(signature.args[missing])(context, builder, arguments[missing])
        size = context.get_constant(types.intp, 0) if missing else source.nitems
        return _view(context, builder, signature.return_type, source.data, [size])

    return types.Array(like.dtype, 1, "C")(array, like), codegen


def _plain_optional(array, like):
    """Return an array that a caller may leave out, as one axis: an empty one in place of None."""
    return _plain_flat(like)[:0] if array is None else _plain_flat(array)


@intrinsic
def _foreign(typing_context, table, row):
    def codegen(context, builder, signature, arguments):
        start = builder.mul(arguments[1], context.get_constant(types.intp, 5))
        line = builder.gep(make_array(table)(context, builder, arguments[0]).data, [start])
        where, *extents = (
            builder.load(builder.gep(line, [context.get_constant(types.intp, i)])) for i in range(5)
        )
        kind = signature.return_type
        data = builder.inttoptr(where, make_array(kind)(context, builder).data.type)
        return _view(context, builder, kind, data, extents[:2], extents[2:])

    return types.Array(types.uint8, 2, "A")(table, types.intp), codegen


def _plain_foreign(table, row):
    """Return the matrix that a row of a table describes, with entries of a type the caller need not know."""
    return table[row]


def describe_array(array):
    """Return a table of one row for ``foreign``: address, shape, strides of a matrix; without the compiler, itself."""
    if _PLAIN:
        return [array]
    return np.array([[array.ctypes.data, *array.shape, *array.strides]], np.int64)


_PLAIN = config.DISABLE_JIT  # type: ignore[attr-defined]
vector = _plain_vector if _PLAIN else _vector
flat = _plain_flat if _PLAIN else _flat
optional = _plain_optional if _PLAIN else _optional
foreign = _plain_foreign if _PLAIN else _foreign


def unlocked(array):
    """Return a read-only array as one that is not, without a copy: else all would be compiled anew. None is written."""
    if not array.size or array.flags.writeable:
        return array
    memory = (ctypes.c_byte * array.nbytes).from_address(array.ctypes.data)
    return np.frombuffer(memory, array.dtype)
