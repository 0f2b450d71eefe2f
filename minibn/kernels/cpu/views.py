"""Arrays on stretches of an arena, made inside compiled code without touching a reference count.

The arena outlives the call that plays the program, so a view needs no share in its memory.
"""

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


if not config.DISABLE_JIT:  # type: ignore[attr-defined]

    @overload(vector, inline="always")
    def _vector(arena, offset, size):
        return lambda arena, offset, size: _borrowed(arena, offset, (size,))

    @overload(matrix, inline="always")
    def _matrix(arena, offset, rows, columns):
        return lambda arena, offset, rows, columns: _borrowed(arena, offset, (rows, columns))
