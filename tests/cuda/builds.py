"""Every kernel with the types of its arguments and the variants that are launched."""

from dataclasses import dataclass

from numba import float32, int32, types

from minibn.kernels.cuda import gradients, moments, normalize, statistics

THREADS = 256
A, COUNTERS = float32[::1], int32[::1]
SIZES = (int32,) * 5


@dataclass(frozen=True)
class Build:
    """One kernel in one variant."""

    name: str
    make: object
    options: tuple
    arguments: tuple
    threads: int = THREADS

    @property
    def function(self):
        return self.make(*self.options).py_func

    @property
    def signature(self):
        return types.void(*self.arguments)


def _variant(width, planes, relu=False):
    return f"{'(N, C, L)' if planes else '(N, C)'}, {'16 bytes' if width == 4 else '4 bytes'}{', ReLU' if relu else ''}"


def _batch_norm(width, planes):
    kind, label = (width, planes, THREADS), _variant(width, planes)
    yield Build(f"batch_moments {label}", moments.make_moments, kind, (A, *SIZES, A, COUNTERS, A, A))
    for relu in (False, True):
        label, factors = _variant(width, planes, relu), (A, A, A, A, float32)
        yield Build(f"normalize {label}", normalize.make_normalize, (*kind, relu), (A, *SIZES, *factors, A))
        yield Build(f"sum_products {label}", gradients.make_products, (*kind, relu),
                    (A, A, *SIZES, *factors, A, COUNTERS, A, A))  # fmt: skip
        yield Build(f"differentiate {label}", gradients.make_differentiate, (*kind, relu),
                    (A, A, *SIZES, *factors, A, A, A))  # fmt: skip


def builds():
    """Return every kernel in every variant."""
    found = [build for planes in (False, True) for width in (4, 1) for build in _batch_norm(width, planes)]
    found.append(Build("move", statistics.make_move, (THREADS,), (A, A, A, A, int32, float32, float32)))
    return found
