"""A product that is rounded before it is added to something, where kernels may fuse the two."""

from numba import config, types
from numba.extending import intrinsic

from minibn.kernels.cpu.lanes import fenced


@intrinsic
def _rounded(typing_context, value):
    def codegen(context, builder, signature, arguments):
        return fenced(builder, arguments[0])

    return types.float64(types.float64), codegen


def _plain_rounded(value):
    """Return a float64 as it is, with all that was computed for it, so that it gets the bits that Python gives it."""
    return value


rounded = _plain_rounded if config.DISABLE_JIT else _rounded  # type: ignore[attr-defined]
