"""Loads and stores of 16 bytes, and loads of what other blocks have just written.

Neither adjacent scalar accesses nor arrays of ``float32x4`` become one access of 16 bytes; LLVM's own vectors do.
Each intrinsic has a plain twin for the simulator, which also refuses what a device would do wrong in silence.
"""

import functools

from minibn.kernels.cuda.target import SIMULATED, device_function, intrinsic


@functools.cache
def make_vectors(width):
    """Return ``load(source, i, buffer, at)`` and ``store(target, i, buffer, at)`` of ``width`` float32 values.

    Parameters
    ----------
    width : int
        1, or 4 where the array begins at a multiple of 16 bytes and every i is a multiple of 4.
    """
    return _plain(width) if SIMULATED else _compiled(width)


def _plain(width):
    def check(array, i):
        if i % width or i < 0 or i + width > array.shape[0]:
            raise IndexError(f"access of {width} values at {i} of {array.shape[0]}")

    @device_function
    def load(source, i, buffer, at):
        check(source, i)
        for k in range(width):
            buffer[at + k] = source[i + k]

    @device_function
    def store(target, i, buffer, at):
        check(target, i)
        for k in range(width):
            target[i + k] = buffer[at + k]

    return load, store


def _address(context, builder, kind, array, index_kind, index):
    """Return the address of an entry of an array of one axis."""
    from numba import types

    data = context.make_array(kind)(context, builder, value=array).data
    return builder.gep(data, [context.cast(builder, index, index_kind, types.intp)])


def _addresses(context, builder, signature, arguments):
    """Return the addresses (array, i) and (buffer, at) of a vector access."""
    kinds = signature.args
    return (
        _address(context, builder, kinds[0], arguments[0], kinds[1], arguments[1]),
        _address(context, builder, kinds[2], arguments[2], kinds[3], arguments[3]),
    )


def _compiled(width):
    from llvmlite import ir
    from numba import types

    index = ir.IntType(32)
    packed = ir.VectorType(ir.FloatType(), width)

    @intrinsic
    def load(typing_context, source, i, buffer, at):
        def codegen(context, builder, signature, arguments):
            origin, room = _addresses(context, builder, signature, arguments)
            values = builder.load(builder.bitcast(origin, packed.as_pointer()), align=4 * width)
            for k in range(width):
                value = builder.extract_element(values, ir.Constant(index, k))
                builder.store(value, builder.gep(room, [ir.Constant(index, k)]))
            return context.get_dummy_value()

        return types.void(source, i, buffer, at), codegen

    @intrinsic
    def store(typing_context, target, i, buffer, at):
        def codegen(context, builder, signature, arguments):
            goal, room = _addresses(context, builder, signature, arguments)
            values = ir.Constant(packed, ir.Undefined)
            for k in range(width):
                value = builder.load(builder.gep(room, [ir.Constant(index, k)]))
                values = builder.insert_element(values, value, ir.Constant(index, k))
            builder.store(values, builder.bitcast(goal, packed.as_pointer()), align=4 * width)
            return context.get_dummy_value()

        return types.void(target, i, buffer, at), codegen

    return load, store


@functools.cache
def make_fresh():
    """Return ``fresh(source, i)``, a load past the first-level cache, which may hold what was there before."""
    if SIMULATED:
        return device_function(lambda source, i: source[i])
    from llvmlite import ir
    from numba import types

    @intrinsic
    def fresh(typing_context, source, i):
        def codegen(context, builder, signature, arguments):
            origin = _address(context, builder, source, arguments[0], i, arguments[1])
            kind = ir.FunctionType(ir.FloatType(), [origin.type])
            code = ir.InlineAsm(kind, "ld.global.cg.f32 $0, [$1];", "=f,l", side_effect=True)
            return builder.call(code, [origin])

        return types.float32(source, i), codegen

    return fresh
