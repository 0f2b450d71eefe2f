"""What is compiled without a GPU is what is launched on one: the same kernels, with arguments of the same types."""

import ast
from pathlib import Path

import device
import numpy as np
import pytest
from builds import builds
from cases import KERNEL_CASES
from numba import from_dtype, types
from test_cuda_batch_norm import draw, play, play_backward
from test_cuda_dense import HostBlas

from minibn.kernels import cuda
from minibn.kernels.cuda import dense_blas
from minibn.kernels.cuda.target import SIMULATED

pytestmark = pytest.mark.skipif(not SIMULATED, reason="launches are recorded in the simulator only")

FOLDER = Path(cuda.__file__).parent


def kernels_in_source():
    """Return the names of all functions under the decorator ``kernel``."""
    nodes = [node for path in FOLDER.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    return {
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "kernel(threads)" for decorator in node.decorator_list)
    }


def type_of(argument):
    """Return what a launch would compile for."""
    if getattr(argument, "shape", ()):
        assert argument.ndim == 1
        return from_dtype(argument.dtype)[::1]
    if isinstance(argument, np.generic):
        return from_dtype(argument.dtype)
    return types.float64 if isinstance(argument, float) else types.int64


@pytest.fixture
def launches(monkeypatch):
    """The names and argument types of all launches."""
    from numba.cuda.simulator import kernel

    found, call = set(), kernel.FakeCUDAKernel.__call__

    def record(self, *arguments):
        if not self._device:
            found.add((self.fn.__name__, tuple(map(type_of, arguments))))
        return call(self, *arguments)

    monkeypatch.setattr(kernel.FakeCUDAKernel, "__call__", record)
    return found


def launch_everything(monkeypatch):
    for case in KERNEL_CASES:
        if case.kernel in cuda.__all__:
            device.run_case(case, case.make((3, 5), np.float32))
    x, gamma, beta, dy = draw((3, 2, 4))
    _, mean, var = play(x, gamma, beta)
    play_backward(dy, x, gamma, beta, mean, var)
    monkeypatch.setattr(dense_blas, "library", HostBlas)
    y = device.poisoned(2, 3)
    cuda.dense_forward(*(cuda.to_device(np.ones(s, np.float32)) for s in ((2, 2), (2, 3), 3)), y)


def test_all_kernels_are_launched_as_they_are_compiled(launches, monkeypatch):
    launch_everything(monkeypatch)
    compiled = {(build.function.__name__, build.arguments) for build in builds()}
    assert not launches - compiled
    assert {name for name, _ in launches} == {name for name, _ in compiled} == kernels_in_source()
