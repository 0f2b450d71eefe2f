"""The table of cases is complete: every kernel, every checked function and every operation has a row."""

from cases import CASES, NOT_KERNELS

from minibn import autograd, functional, kernels


def test_every_kernel_has_a_row():
    missing = set(kernels.__all__) - NOT_KERNELS - {case.kernel for case in CASES}
    assert not missing, f"kernels without a row in tests/cases.py: {sorted(missing)}"


def test_every_kernel_has_a_checked_function():
    missing = set(kernels.__all__) - NOT_KERNELS - set(functional.__all__)
    assert not missing, f"kernels without a checked function: {sorted(missing)}"


def test_every_checked_function_has_a_row():
    missing = set(functional.__all__) - NOT_KERNELS - {case.kernel for case in CASES}
    assert not missing, f"functions without a row in tests/cases.py: {sorted(missing)}"


def test_every_op_has_a_row():
    missing = set(autograd.OPS) - {case.op for case in CASES}
    assert not missing, f"operations without a row in tests/cases.py: {sorted(missing)}"


def test_names_of_rows_are_unique():
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
