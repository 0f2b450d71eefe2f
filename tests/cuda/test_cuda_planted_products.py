"""The tests of products, losses and elementwise loops bite: one fault at a time must be noticed."""

import device
import numpy as np
import oracles
import pytest
import test_cuda_dense
from planting import planted

from minibn.kernels import cuda
from minibn.kernels.cuda import dense
from minibn.kernels.cuda.target import SIMULATED

pytestmark = pytest.mark.skipif(not SIMULATED, reason="faults are planted in the simulator only")

FAULTS = {
    "no barrier after the first part": (
        "matrix_product", "put_right(next_right, right_shared, 0)\n        cuda.syncthreads()\n", "put_right(next_right, right_shared, 0)\n"),
    "no barrier after a part": (
        "matrix_product", "            cuda.syncthreads()\n        slabs = ", "        slabs = "),
    "an operand is read beyond its edge": ("matrix_product", "if o < extent and k < stop:", "if o <= extent and k < stop:"),
    "terms beyond the last": ("matrix_product", "if o < extent and k < stop:", "if o < extent and k <= stop:"),
    "the first slab is left out": ("matrix_product", "for slab in range(cuda.gridDim.z):", "for slab in range(1, cuda.gridDim.z):"),
    "both halves of shared memory are one": ("matrix_product", "half = 1 - half", "half = 0"),
    "a part is not turned": ("matrix_product", "shared[begin + (minor + v) * stride + major]", "shared[begin + major * stride + minor + v]"),
    "no barrier in the sum over a row": (
        "cross_entropy", "else max(shared[thread], other)\n            cuda.syncthreads()\n", "else max(shared[thread], other)\n"),
    "a row's last class is left out": (
        "cross_entropy", "for k in range(column, classes, columns):\n                    value = np.float32", "for k in range(column, classes - 1, columns):\n                    value = np.float32"),
    "blocks of losses are added in part": ("reduction", "for slab in range(row, slabs, rows):", "for slab in range(row + 1, slabs, rows):"),
    "the total weight forgets its first row": (
        "cross_entropy", "for sample in range(cuda.grid(1), samples, cuda.gridsize(1)):", "for sample in range(cuda.grid(1) + 1, samples, cuda.gridsize(1)):"),
    "an elementwise loop starts late": (
        "elementwise", "for step in range(first, whole, cuda.gridsize(1)):\n            load(source", "for step in range(first + 1, whole, cuda.gridsize(1)):\n            load(source"),
    "an elementwise loop forgets its rest": (
        "elementwise", "        if rest < size:\n            target[rest] = formula(source", "        if rest + 1 < size:\n            target[rest] = formula(source"),
}  # fmt: skip


def near(ours, theirs):
    return np.abs(np.asarray(ours, np.float64) - theirs).max() < 1e-4


def dense_is_right(shape):
    arrays = test_cuda_dense.draw(shape)
    results = test_cuda_dense.play(dense.dense_forward_tiled, dense.dense_backward_tiled, *arrays)
    return all(map(near, results, test_cuda_dense.expected(*arrays)))


def loss_is_right(rows, classes):
    rng = np.random.default_rng(rows)
    scores, labels = rng.standard_normal((rows, classes)).astype(np.float32), rng.integers(0, classes, rows)
    weight = rng.uniform(0.5, 2, classes).astype(np.float32)
    loss, found = oracles.softmax_cross_entropy_forward(scores, labels, weight)
    slope = oracles.softmax_cross_entropy_backward(found, labels, weight)[0]
    outputs = device.poisoned(rows, classes), device.poisoned(rows, classes)
    labels, weight = cuda.to_device(labels), cuda.to_device(weight)
    ours = cuda.softmax_cross_entropy_forward(cuda.to_device(scores), labels, weight, outputs[0])
    cuda.softmax_cross_entropy_backward(outputs[0], labels, weight, outputs[1])
    return (
        near(ours, loss) and near(outputs[0].copy_to_host(), found) and near(outputs[1].copy_to_host(), slope)
    )


def relu_is_right(size):
    x, y = np.random.default_rng(size).standard_normal(size).astype(np.float32), device.poisoned(size)
    cuda.relu_forward(cuda.to_device(x), y)
    return near(y.copy_to_host(), np.maximum(x, 0))


CHECKS = [(relu_is_right, 9), (relu_is_right, 8), (loss_is_right, 70, 7), (loss_is_right, 3, 2)]
CHECKS += [(dense_is_right, shape) for shape in [(17, 9, 5), (5, 40, 4), (100, 4, 4)]]


def all_right():
    """Play every check twice, on the same workspace."""
    return all(check(*arguments) for check, *arguments in CHECKS for _ in range(2))


def noticed():
    try:
        return not all_right()
    except (IndexError, RuntimeError, ValueError):  # refused rather than wrong
        return True


def test_without_a_fault_all_is_right():
    with planted("matrix_product", "SHORTEST = 256", "SHORTEST = 257"):
        assert all_right()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_noticed(fault):
    with planted(*FAULTS[fault]):
        assert noticed()
