"""The command line on CUDA: a run that begins there goes on on the CPU, and what ``minibn info`` says."""

import json

import numpy as np
import pytest
from command import run, run_json

from minibn.kernels.cuda.target import SIMULATED
from minibn.program import devices

pytestmark = pytest.mark.subprocess

NO_GPU = devices.driver() is None
PLAIN = {"NUMBA_ENABLE_CUDASIM": "0"}
CUDA = {"NUMBA_ENABLE_CUDASIM": "1"} if SIMULATED else PLAIN
SMALL = ("--data", "rows.npz", "--hidden", 3, "--epochs", 1, "--out", "run")


@pytest.fixture(autouse=True)
def rows(tmp_path):
    """Write a small file of data that no other package is needed for."""
    x = np.random.default_rng(0).standard_normal((150, 4))
    np.savez(tmp_path / "rows.npz", x=x, y=(x[:, 0] > 0) + (x[:, 1] > 1))


def test_a_run_begins_on_cuda_and_goes_on_on_the_cpu(tmp_path):
    process = run("train", *SMALL, "--device", "auto", cwd=tmp_path, **CUDA)
    assert "device auto is cuda" in process.stderr
    assert f"device    cuda{', simulated by Python' * SIMULATED}" in process.stdout
    assert json.loads((tmp_path / "run/manifest.json").read_text())["settings"]["device"] == "cuda"
    whole = run_json("train", *SMALL[:-2], "--epochs", 2, "--out", "whole", cwd=tmp_path, **PLAIN)
    resumed = run_json("train", "--resume", "run", "--epochs", 2, "--device", "cpu", cwd=tmp_path, **PLAIN)
    for ours, theirs in zip(resumed["epochs"], whole["epochs"], strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)
    if NO_GPU:
        again = run("train", "--resume", "run", "--epochs", 3, cwd=tmp_path, code=1, **PLAIN)
        assert "cannot be used" in again.stderr.splitlines()[-1]
    run("evaluate", "run", cwd=tmp_path, **PLAIN)


def test_info_where_cuda_can_be_used(tmp_path):
    report = run_json("info", cwd=tmp_path, **CUDA)["cuda"]
    assert report["usable"]
    assert report["missing"] is None
    assert report["parts"][0]["found"].startswith("simulated by Python" if SIMULATED else "libcuda")
