"""Every CUDA kernel against the float64 oracle, over the table of cases that the CPU's kernels answer too."""

import device
import numpy as np
import pytest
from cases import KERNEL_CASES, assert_close

from minibn import kernels
from minibn.kernels import cuda

TWINS = [case for case in KERNEL_CASES if case.kernel in cuda.__all__]
ROWS = [
    pytest.param(case, shape, id=f"{case.name}-{'x'.join(map(str, shape))}")
    for case in TWINS
    for shape in case.shapes
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
