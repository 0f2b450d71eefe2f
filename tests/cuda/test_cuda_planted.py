"""The tests of CUDA bite: one fault at a time is planted, and an answer must be wrong or refused."""

import numpy as np
import oracles
import pytest
from planting import planted
from test_cuda_batch_norm import EPS, draw, play, play_backward, rows

from minibn.kernels.cuda.target import SIMULATED

pytestmark = pytest.mark.skipif(not SIMULATED, reason="faults are planted in the simulator only")

SHAPES = [(130, 8), (47, 5), (9, 4, 12), (19, 70)]
FAULTS = {
    "no barrier before the tree of moments": (
        "reduction", "            squares[own + j] = square[j]\n        cuda.syncthreads()\n", "            squares[own + j] = square[j]\n"),
    "no barrier in the tree of moments": (
        "reduction", "                    counts[thread] = count\n            cuda.syncthreads()\n", "                    counts[thread] = count\n"),
    "no barrier before the tree of sums": (
        "reduction", "            shared_b[own + j] = b[j]\n        cuda.syncthreads()\n", "            shared_b[own + j] = b[j]\n"),
    "no barrier in the tree of sums": (
        "reduction", "                    shared_b[own + j] = b[j]\n            cuda.syncthreads()\n", "                    shared_b[own + j] = b[j]\n"),
    "no barrier after the flag": (
        "reduction", "                arrivals[counter] = 0\n        cuda.syncthreads()\n", "                arrivals[counter] = 0\n"),
    "the counter is not reset": ("reduction", "                arrivals[counter] = 0\n", "                pass\n"),
    "the last block is block G - 1": (
        "reduction", "return flag[0] == 1", "return cuda.blockIdx.y == total - 1"),
    "one row too many in the tree": ("reduction", "            if row < half and row + half < rows:\n                other = thread",
        "            if row < half and row + half <= rows:\n                other = thread"),
    "one step too many": ("moments", "        while step < steps:", "        while step <= steps:"),
    "one unrolled step too many": (
        "moments", "while step + (UNROLL - 1) * stride < steps:", "while step + (UNROLL - 1) * stride <= steps:"),
    "the rest of the rows is forgotten": (
        "moments", "extra = min(max(rest - slab * rows, 0), rows)", "extra = 0"),
    "the wrong weight in Chan's merge": (
        "moments", "square[j] += spread + gap * gap * weight", "square[j] += spread + gap * gap * inverse"),
    "the remainder of the mean is dropped": (
        "normalize", "beta[c + j] - mean[channels + c + j] * factor", "beta[c + j]"),
    "the last step is left out": (
        "normalize", "step = first + (steps - 1 - first) // stride * stride", "step = first + (steps - 2 - first) // stride * stride"),
    "a tile reads over its edge": ("normalize", "if row < rows and c < channels and first < steps:", "if row < rows and first < steps:"),
    "the planes of the next channel": ("positions", "plane = np.int64(image) * channels + c", "plane = np.int64(image) * channels + c + 1"),
    "the gradient forgets its mean": (
        "gradients", "level[j] = dbeta[c + j] * share + mean[channels + c + j] * slope[j]", "level[j] = mean[channels + c + j] * slope[j]"),
    "the gradient forgets its last step": (
        "gradients", "            while step >= 0:", "            while step > 0:"),
}  # fmt: skip


def wrong(shape):
    """Say whether forward or backward differ from the oracle, in one of two runs on the same workspace."""
    x, gamma, beta, dy = draw(shape, 1e6)
    expected, mean, var = oracles.batch_norm_forward(rows(x), gamma, beta, EPS)
    gradients = oracles.batch_norm_backward(rows(dy), rows(x), gamma, mean, var, EPS)
    for _ in range(2):
        y = rows(play(x, gamma, beta)[0])
        dx, dgamma, dbeta = play_backward(dy, x, gamma, beta, mean, var)
        pairs = zip((y, rows(dx), dgamma, dbeta), (expected, *gradients), strict=True)
        if not all(np.abs(ours - theirs).max() < 1e-4 for ours, theirs in pairs):
            return True
    return False


def caught(shape):
    try:
        return wrong(shape)
    except (IndexError, RuntimeError, ValueError):
        return True


def test_without_a_fault_nothing_is_caught():
    """Planting itself does no harm: every line stays what it was."""
    for module, line, _ in FAULTS.values():
        with planted(module, line, line):
            pass
    with planted("reduction", "ZERO, ONE = ", "ONE = np.float32(1); ZERO, ONE = "):
        assert not any(wrong(shape) for shape in SHAPES)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault):
    with planted(*FAULTS[fault]):
        assert any(caught(shape) for shape in SHAPES)
