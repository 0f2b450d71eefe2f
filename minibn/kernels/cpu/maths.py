"""Scalar functions written so that loops over them vectorise: a call into the C library would stop that.

Both are right to about one unit in the last place, and NaN stays NaN. In plain Python they are NumPy's own.
"""

import math
from typing import Any

import numpy as np
from numba import config, types
from numba.extending import overload

from minibn.kernels.compile import FLAGS, kernel_part

_LOG2_E = 1.4426950408889634
# ln 2 in two parts, the first short enough that a small integer times it is exact (Cody and Waite 1980).
_LN2_HIGH, _LN2_LOW = 6.93145751953125e-1, 1.42860682030941723212e-6
_LN2_HIGH_32, _LN2_LOW_32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11, _T12, _T13 = (
    1.0 / math.factorial(k) for k in range(2, 14)
)
_S2, _S3, _S4, _S5, _S6, _S7 = (np.float32(t) for t in (_T2, _T3, _T4, _T5, _T6, _T7))
_ONE_32, _LOG2_E_32, _LOWEST_32 = np.float32(1), np.float32(_LOG2_E), np.float32(-87.0)


@kernel_part
def _decay_64(x):
    """Return exp(x) = 2 ** n * exp(r) with |r| <= ln(2) / 2, exp(r) by its Taylor series to r ** 13."""
    bounded = x if x > -708.0 else -708.0
    n = np.rint(bounded * _LOG2_E)
    r = (bounded - n * _LN2_HIGH) - n * _LN2_LOW
    p = ((((_T13 * r + _T12) * r + _T11) * r + _T10) * r + _T9) * r + _T8
    p = (((((p * r + _T7) * r + _T6) * r + _T5) * r + _T4) * r + _T3) * r + _T2
    p = p * r * r + r + 1.0
    value = p * np.int64((np.int64(n) + 1023) << 52).view(np.float64)
    value = value if x > -708.0 else 0.0
    return value if x == x else x


@kernel_part
def _decay_32(x):
    """Return exp(x) as :func:`_decay_64` does, the series to r ** 7."""
    bounded = x if x > _LOWEST_32 else _LOWEST_32
    n = np.rint(bounded * _LOG2_E_32)
    r = (bounded - n * _LN2_HIGH_32) - n * _LN2_LOW_32
    p = ((((_S7 * r + _S6) * r + _S5) * r + _S4) * r + _S3) * r + _S2
    p = p * r * r + r + _ONE_32
    value = p * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    value = value if x > _LOWEST_32 else np.float32(0)
    return value if x == x else x


# Near zero tanh(x) = x + x z P(z) / Q(z), z = x * x; coefficients of Moshier's Cephes library (tanh.c, tanhf.c).
_P0, _P1, _P2 = -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3
_Q0, _Q1, _Q2 = 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3
_F0, _F1, _F2, _F3, _F4 = (
    np.float32(c)
    for c in (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
)


@kernel_part
def _tanh_64(x):
    size, z = abs(x), x * x
    near = x + x * z * (((_P0 * z + _P1) * z + _P2) / (((z + _Q0) * z + _Q1) * z + _Q2))
    e = _decay_64(-2.0 * size)
    far = math.copysign((1.0 - e) / (1.0 + e), x)
    return near if size < 0.625 else far


@kernel_part
def _tanh_32(x):
    size, z = abs(x), x * x
    near = x + x * z * ((((_F0 * z + _F1) * z + _F2) * z + _F3) * z + _F4)
    e = _decay_32(np.float32(-2) * size)
    far = math.copysign((_ONE_32 - e) / (_ONE_32 + e), x)
    return near if size < np.float32(0.625) else far


def decay(x):
    """Return exp(x) for x at most 0; below about -708 (-87 in float32) 0."""
    return np.exp(x)


def tanh(x):
    """Return the hyperbolic tangent of x."""
    return np.tanh(x)


if not config.DISABLE_JIT:  # type: ignore[attr-defined]
    # Functions for LLVM to inline: Numba takes longer over it.
    _OPTIONS: Any = FLAGS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

    @overload(decay, jit_options=_OPTIONS)
    def _decay(x):
        return (_decay_32 if x == types.float32 else _decay_64).py_func

    @overload(tanh, jit_options=_OPTIONS)
    def _tanh(x):
        return (_tanh_32 if x == types.float32 else _tanh_64).py_func
