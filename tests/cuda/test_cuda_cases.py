"""Every CUDA kernel against the float64 oracle, over the table of cases that the CPU's kernels answer too."""

import device
import numpy as np
import pytest
from cases import KERNEL_CASES, NOT_KERNELS, assert_close

from minibn import kernels
from minibn.kernels import cuda
from minibn.kernels.cuda.target import SIMULATED

# The simulator runs every thread in Python: a product with 600 x 300 weights takes half a minute.
TOO_LARGE = {("dense_forward", (11, 600)), ("dense_backward", (11, 600))} if SIMULATED else set()
TWINS = [case for case in KERNEL_CASES if case.kernel in cuda.__all__]
ROWS = [
    pytest.param(case, shape, id=f"{case.name}-{'x'.join(map(str, shape))}")
    for case in TWINS
    for shape in case.shapes
    if (case.kernel, shape) not in TOO_LARGE
]


@pytest.mark.parametrize(("case", "shape"), ROWS)
def test_twin_equals_oracle(case, shape):
    inputs = case.make(shape, np.float32)
    expected = case.expected(inputs)
    assert_close(device.run_case(case, inputs), expected, case.cuda)


@pytest.mark.without_device
@pytest.mark.parametrize("name", sorted(set(kernels.__all__) & set(cuda.__all__)))
def test_twins_have_the_same_file_and_arguments(name):
    ours, theirs = getattr(cuda, name), getattr(kernels, name)
    theirs = getattr(theirs, "py_func", theirs)
    assert ours.__module__ == theirs.__module__.replace("kernels.cpu", "kernels.cuda")
    assert device.names_of(ours) == device.names_of(theirs)


# What the CPU has and CUDA has not: rows with weights of their own.
WITHOUT_TWIN = {name for name in kernels.__all__ if "weighted" in name}


@pytest.mark.without_device
def test_every_kernel_has_a_twin():
    assert set(kernels.__all__) - NOT_KERNELS - set(cuda.__all__) == WITHOUT_TWIN
