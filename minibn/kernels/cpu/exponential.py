"""exp(x) for x at most 0 of many lanes at once: :func:`minibn.kernels.cpu.maths.decay` as vector code."""

import math

import numpy as np
from llvmlite import ir

# lowest x, terms of the series, ln 2 in two parts, bias and width of the fraction
_FORMS = {
    4: (-87.0, 7, 0.693359375, -2.12194440e-4, 127, 23),
    8: (-708.0, 13, 6.93145751953125e-1, 1.42860682030941723212e-6, 1023, 52),
}
_LOG2_E = 1.4426950408889634


def _rounded(number, size):
    return float(np.float32(number)) if size == 4 else number


def decay_lanes(lanes, x):
    """Return exp(x), for x at most 0; NaN stays NaN."""
    builder, size = lanes.builder, lanes.size
    lowest, terms, high, low, bias, fraction = _FORMS[size]

    def every(number):
        return ir.Constant(lanes.vector, [_rounded(number, size)] * lanes.count)

    above = builder.fcmp_ordered(">", x, every(lowest))
    bounded = builder.select(above, x, every(lowest))
    n = lanes._intrinsic(f"llvm.rint.{lanes.name}", lanes.vector, builder.fmul(bounded, every(_LOG2_E)))
    r = lanes.multiply_add(n, every(-high), bounded)
    r = lanes.multiply_add(n, every(-low), r)
    p = every(1 / math.factorial(terms))
    for k in reversed(range(terms)):
        p = lanes.multiply_add(p, r, every(1 / math.factorial(k)))
    exponent = builder.add(
        builder.fptosi(n, lanes.integers), ir.Constant(lanes.integers, [bias] * lanes.count)
    )
    scale = builder.bitcast(
        builder.shl(exponent, ir.Constant(lanes.integers, [fraction] * lanes.count)), lanes.vector
    )
    value = builder.select(above, builder.fmul(p, scale), lanes.zero)
    return builder.select(builder.fcmp_unordered("uno", x, x), x, value)
