"""Calls of kernels by address.

A caller that is given the address of a kernel at run time need not be compiled together with it: its own machine
code stays small, only the kernels that are used are compiled, and every caller runs the very same machine code.
In plain Python, with the compiler switched off, the function itself takes the place of its address.
"""

import numba
import numpy as np
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


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


def entries(size):
    """Return an empty table for addresses, in which 0 stands for none."""
    return [None] * size if config.DISABLE_JIT else np.zeros(size, np.int64)  # type: ignore[attr-defined]


def _caller(result):
    """Return an intrinsic ``call(address, *arguments)`` for kernels that return this type."""

    @intrinsic
    def call(typing_context, where, *arguments):
        signature = result(where, types.StarArgTuple(arguments))

        def codegen(context, builder, signature, values):
            given = list(signature.args[1])
            unpacked = cgutils.unpack_tuple(builder, values[1], len(given))
            callee = context.call_conv.get_function_type(result, given).as_pointer()
            status, value = context.call_conv.call_function(
                builder, builder.inttoptr(values[0], callee), result, given, unpacked
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value() if result == types.none else value

        return signature, codegen

    return call


def _call(function, *arguments):
    return function(*arguments)


if config.DISABLE_JIT:  # type: ignore[attr-defined]
    call = call_float = _call
else:
    call, call_float = _caller(types.none), _caller(types.float64)
