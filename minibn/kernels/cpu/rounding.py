"""A product that is rounded before it is added to something, where kernels may fuse the two."""

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic
def _rounded(typing_context, value):
    def codegen(context, builder, signature, arguments):
        kind = ir.DoubleType()
        fence = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), "llvm.arithmetic.fence.f64"
        )
        return builder.call(fence, arguments)

    return types.float64(types.float64), codegen


def _plain_rounded(value):
    """Return a float64 as it is, with all that was computed for it, so that it gets the bits that Python gives it."""
    return value


rounded = _plain_rounded if config.DISABLE_JIT else _rounded  # type: ignore[attr-defined]
