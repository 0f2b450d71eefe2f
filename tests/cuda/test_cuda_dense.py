"""The products of dense layers on CUDA: edges of tiles, sums shared by slabs, and cuBLAS's way of counting."""

import ctypes

import device
import numpy as np
import pytest

from minibn.errors import DeviceError
from minibn.kernels import cuda
from minibn.kernels.cuda import dense, dense_blas, matrix_product
from minibn.kernels.cuda.matrix_product import Tile
from minibn.kernels.cuda.target import SIMULATED

# Below, at and above the edges of a tile in every direction; long sums of few results, which slabs share.
SHAPES = [(1, 1, 1), (16, 8, 8), (17, 9, 5), (5, 40, 3), (3, 4, 100), (100, 4, 4), (33, 12, 20), (64, 3, 2)]
TOLERANCE = 2e-5


def draw(shape, seed=0):
    rows, inputs, outputs = shape
    rng = np.random.default_rng([seed, *shape])
    sizes = (rows, inputs), (inputs, outputs), outputs, (rows, outputs)
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def expected(x, weight, bias, dy):
    x, weight, bias, dy = (a.astype(np.float64) for a in (x, weight, bias, dy))
    return x @ weight + bias, dy @ weight.T, x.T @ dy, dy.sum(axis=0)


def play(forward, backward, x, weight, bias, dy):
    outputs = [device.poisoned(*a.shape) for a in (dy, x, weight, bias)]
    x, weight, bias, dy = map(cuda.to_device, (x, weight, bias, dy))
    forward(x, weight, bias, outputs[0])
    backward(dy, x, weight, *outputs[1:])
    return [output.copy_to_host() for output in outputs]


def assert_right(results, values):
    for result, value in zip(results, values, strict=True):
        assert np.abs(result - value).max() <= TOLERANCE * max(np.abs(value).max(), 1.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_tiles_with_ragged_edges(shape):
    arrays = draw(shape)
    for _ in range(2):  # on the same workspace, whose counters must be back at 0
        assert_right(play(dense.dense_forward_tiled, dense.dense_backward_tiled, *arrays), expected(*arrays))


@pytest.mark.parametrize("tile", [Tile(8, 8, 4, 4, 4), Tile(8, 16, 8, 8, 8), Tile(16, 16, 16, 8, 4)], ids=str)
def test_any_tile_gives_the_same_answer(tile, monkeypatch):
    monkeypatch.setattr(matrix_product, "SIMULATORS", tile)
    monkeypatch.setattr(matrix_product, "SMALL", tile)
    matrix_product.cut.cache_clear()
    arrays = draw((19, 21, 12))
    results = play(dense.dense_forward_tiled, dense.dense_backward_tiled, *arrays)
    matrix_product.cut.cache_clear()
    assert_right(results, expected(*arrays))


@pytest.mark.parametrize(("sizes", "slabs"), [((4, 4, 100), True), ((64, 64, 100), False)])
def test_long_sums_of_few_results_are_shared(sizes, slabs):
    plan = matrix_product.cut(*sizes)
    assert (plan.grid[2] > 1) == slabs or not SIMULATED
    assert plan.share * plan.grid[2] >= sizes[2] > plan.share * (plan.grid[2] - 1)


def test_shared_sums_give_the_same_bits_in_every_run():
    arrays = draw((200, 4, 4))
    runs = [play(dense.dense_forward_tiled, dense.dense_backward_tiled, *arrays) for _ in range(4)]
    for run in runs[1:]:
        for ours, theirs in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_what_is_not_asked_for_is_left_out():
    x, weight, _, dy = draw((9, 5, 3))
    y, dweight = device.poisoned(9, 3), device.poisoned(5, 3)
    values = x.astype(np.float64) @ weight, x.astype(np.float64).T @ dy
    x, weight, dy = map(cuda.to_device, (x, weight, dy))
    cuda.dense_forward(x, weight, None, y)
    cuda.dense_backward(dy, x, weight, None, dweight, None)
    assert_right([y.copy_to_host(), dweight.copy_to_host()], values)


class HostBlas(dense_blas.CuBlas):
    """BLAS of the CPU behind the calls of cuBLAS: it counts by columns too, and here memory is the host's."""

    def __init__(self):
        from scipy.linalg import cython_blas

        capsule = cython_blas.__pyx_capi__["sgemm"]
        name = ctypes.pythonapi.PyCapsule_GetName
        name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        self.sgemm = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(pointer(capsule, name(capsule)))
        self._handle = None

    def _call(self, name, *arguments):
        if name == "cublasSgemm_v2":
            turned = [ctypes.byref(ctypes.c_char(b"NT"[flag])) for flag in arguments[1:3]]
            numbers = [ctypes.byref(ctypes.c_int(a)) if isinstance(a, int) else a for a in arguments[3:]]
            self.sgemm(*turned, *numbers)


@pytest.mark.skipif(not SIMULATED, reason="the CPU's BLAS cannot reach the memory of a GPU")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_put_to_blas_the_right_way_round(shape, monkeypatch):
    monkeypatch.setattr(dense_blas, "library", HostBlas)
    arrays = draw(shape)
    assert_right(play(cuda.dense_forward, cuda.dense_backward, *arrays), expected(*arrays))


def test_the_library_in_use_is_told():
    assert cuda.dense_library().startswith(("kernels of minibn", "cuBLAS "))


@pytest.mark.without_device
def test_a_failing_library_is_an_error_of_one_line():
    class Failing:
        def cublasCreate_v2(self, handle):  # noqa: N802
            return 1

    with pytest.raises(DeviceError, match="cublasCreate_v2 of cuBLAS failed with status 1"):
        dense_blas.CuBlas(Failing())
