"""The suite ``cuda``: what it calls right is right, wrong results are found, and goals are read as they should be."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # the benchmarks are not part of the installed package

from benchmarks import report, suites  # noqa: E402
from benchmarks.cuda import correctness, goals, measure, subjects  # noqa: E402
from minibn.kernels import cuda  # noqa: E402
from minibn.program import devices  # noqa: E402

without_device = pytest.mark.without_device


def test_every_kernel_of_the_suite_is_right():
    said = []
    rows = measure.checks(said.append, small=True)
    assert all(row["right"] for row in rows), rows
    assert {row["name"].split(",")[0] for row in rows} >= {
        "batch_norm_forward", "batch_norm_relu_backward", "dense_forward", "dense_forward_tiled", "dense_backward",
        "dense_backward_tiled", "1 epochs",
    }  # fmt: skip
    assert said == [f"correct: {len(rows)} of {len(rows)}"]


def test_a_wrong_kernel_is_found(monkeypatch):
    def wrong(x, weight, bias, y):
        cuda.dense.dense_forward(x, weight, None, y)

    monkeypatch.setattr(cuda, "dense_forward", wrong)
    row = correctness.product((5, 7, 9))
    assert not row["right"] and row["error"] > row["tolerance"]


def test_an_output_that_is_not_written_is_found(monkeypatch):
    monkeypatch.setattr(cuda, "dense_forward", lambda *arguments: None)
    assert not correctness.product((5, 7, 9))["right"]


@without_device
def test_only_the_mask_of_a_relu_is_spared_its_worst_entries():
    wanted = np.ones(200_000)
    found = wanted + np.eye(1, 200_000)[0]
    assert correctness._error(found, wanted) == 1
    assert correctness._error(found, wanted, 1) == 0


@without_device
def test_gradients_of_pytorch_are_those_of_autograd():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x, dy = torch.randn(2, 8, 4)
    gamma, beta = torch.randn(2, 4, requires_grad=True)
    found = subjects.torch_backward(x, gamma, beta)(dy, x)
    leaf = x.clone().requires_grad_()
    y = torch.nn.functional.batch_norm(leaf, None, None, gamma, beta, True, 0.1, subjects._EPS)
    for ours, theirs in zip(found, torch.autograd.grad(y, (leaf, gamma, beta), dy), strict=True):
        torch.testing.assert_close(ours, theirs)


def seconds(**means):
    return {name: np.full(5, value) for name, value in means.items()}


@without_device
def test_the_floor_is_so_many_arrays_at_the_rate_of_the_copy():
    """A copy moves two arrays in 2 s: three arrays take 3 s, of which 4 s reach 75 %."""
    rows = measure.compare(
        goals.FORWARD, goals.BIG, seconds(minibn=4.0, torch=6.0, copy=2.0), measure._FLOORS[goals.FORWARD]
    )
    found = {row["against"]: row["ratio"] for row in rows}
    assert found == {"floor": 0.75, "torch": 1.5, "copy": 0.5}
    wanted = {row["name"] + row["against"]: row["reached"] for row in goals.rows(rows)}
    assert wanted[f"batch-norm forward {goals.BIG}floor"] is False
    assert wanted[f"batch-norm forward {goals.BIG}torch"] is True
    assert wanted[f"{goals.HEADLINE}torch"] is None


@without_device
def test_every_goal_has_a_row_of_its_own():
    shapes = {"x".join(map(str, shape)) for shape in measure._SHAPES}
    assert {goals.BIG, goals.IN_L2} <= shapes
    details = [
        row
        for name, arrays in measure._FLOORS.items()
        for shape in shapes
        for row in measure.compare(name, shape, seconds(minibn=1.0, torch=20.0, copy=1.0), arrays)
    ]
    for name, shape in ((goals.HEADLINE, "1000x20"), (goals.PRODUCT, "4096x4096x4096")):
        details += measure.compare(name, shape, seconds(minibn=1.0, torch=20.0))
    found = measure.report("some GPU", [], details, True)
    assert all(row["reached"] for row in found["rows"])
    assert len(report.table("cuda", found).splitlines()) == len(goals.GOALS) + 5 - 1
    assert not suites.missed([found])
    assert found["versions"]["numba"] and "numba-cuda" in found["versions"]


@without_device
@pytest.mark.subprocess
@pytest.mark.skipif(devices.driver() is not None, reason="there is a driver")
@pytest.mark.parametrize("simulated", ["0", "1"])
def test_without_a_gpu_it_is_one_line(simulated):
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks", "cuda"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": simulated},
    )  # fmt: skip
    assert (process.returncode, process.stdout) == (1, "")
    assert len(process.stderr.splitlines()) == 1
    assert (
        "no NVIDIA driver" if simulated == "0" else "has no speed"
    ) in process.stderr or "numba-cuda" in process.stderr
