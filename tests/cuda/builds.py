"""Every kernel with the types of its arguments and the variants that are launched."""

from dataclasses import dataclass

from numba import float32, int32, int64, types

from minibn.kernels.cuda import (
    activations,
    column_sums,
    cross_entropy,
    dense_blas,
    elementwise,
    gradients,
    matrix_product,
    moments,
    normalize,
    optimizers,
    statistics,
)

THREADS = 256
A, COUNTERS, LABELS = float32[::1], int32[::1], int64[::1]
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


def _elementwise(width):
    label = f"{4 * width} bytes"
    for formula in ("_relu", "_sigmoid", "_tanh"):
        yield Build(f"apply {formula[1:]}, {label}", elementwise.make_map,
                    (getattr(activations, formula), width, THREADS), (A, int32, A))  # fmt: skip
    for formula in ("_open", "_sigmoid_slope", "_tanh_slope"):
        yield Build(f"apply_pair {formula[1:]}, {label}", elementwise.make_map_pair,
                    (getattr(activations, formula), width, THREADS), (A, A, int32, A))  # fmt: skip
    kind, scalars = (width, THREADS), (float32,) * 5
    yield Build(f"descend {label}", optimizers.make_descend, kind, (A, A, int32, *scalars[:2]))
    yield Build(f"descend_with_velocity {label}", optimizers.make_descend_with_velocity, kind,
                (A, A, A, int32, *scalars))  # fmt: skip
    yield Build(f"adapt {label}", optimizers.make_adapt, kind, (A, A, A, A, int32, *scalars, float32))


def _losses():
    sizes, room = (int32,) * 3, (A, COUNTERS)
    for weighted in (False, True):
        label = ", class weights" if weighted else ""
        yield Build(f"cross_entropy{label}", cross_entropy.make_cross_entropy, (THREADS, weighted),
                    (A, LABELS, A, *sizes, *room, A, A))  # fmt: skip
        yield Build(f"cross_entropy_gradient{label}", cross_entropy.make_cross_entropy_gradient,
                    (THREADS, weighted), (A, LABELS, A, A, *sizes, A))  # fmt: skip
    yield Build("total_weight", cross_entropy.make_total_weight, (THREADS,), (LABELS, A, int32, *room, A))
    yield Build("squared_error", cross_entropy.make_squared_error, (THREADS,), (A, A, int32, *room, A))
    yield Build("squared_error_gradient", cross_entropy.make_squared_error_gradient, (THREADS,),
                (A, A, int32, float32, A))  # fmt: skip


_PRODUCTS = {
    "x W + b": (True, False, True),
    "x W": (True, False, False),
    "dy W'": (True, True, False),
    "x' dy": (False, False, False),
}


def _dense(tile, vector):
    arguments = (A, A, A, *(int32,) * 4, A, COUNTERS, A)
    for formula, options in _PRODUCTS.items():
        name = f"product {formula}, {tile.rows}x{tile.columns}, {4 * vector} bytes"
        yield Build(name, matrix_product.make_product, (tile, vector, *options), arguments, tile.threads)


def _columns():
    for width in (4, 1):
        yield Build(f"column_sums {4 * width} bytes", column_sums.make_column_sums, (width, False, THREADS),
                    (A, *SIZES, A, COUNTERS, A))  # fmt: skip
    yield Build("spread", dense_blas.make_spread, (THREADS,), (A, int32, int32, A))


def builds():
    """Return every kernel in every variant."""
    found = [build for planes in (False, True) for width in (4, 1) for build in _batch_norm(width, planes)]
    found += [build for width in (4, 1) for build in _elementwise(width)]
    found += [
        build
        for tile in (matrix_product.LARGE, matrix_product.SMALL)
        for vector in (4, 1)
        for build in _dense(tile, vector)
    ]
    found += [*_columns(), *_losses()]
    found.append(Build("move", statistics.make_move, (THREADS,), (A, A, A, A, int32, float32, float32)))
    return found
