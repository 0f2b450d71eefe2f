"""``--device`` and what ``minibn info`` says of CUDA, with and without the simulator; and that the CPU imports nothing."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from command import run, run_json

from minibn.errors import ArgumentError, DeviceError
from minibn.program import devices
from minibn.train import Settings

pytestmark = pytest.mark.subprocess

NO_GPU = devices.driver() is None
without_gpu = pytest.mark.skipif(not NO_GPU, reason="there is a driver")
PLAIN = {"NUMBA_ENABLE_CUDASIM": "0"}
SMALL = ("--data", "iris", "--hidden", 3, "--epochs", 1, "--out", "run")


@without_gpu
@pytest.mark.parametrize("command", ["train", "compare", "sweep"])
def test_cuda_without_a_driver_is_one_line_and_a_failure(tmp_path, command):
    process = run(command, "--device", "cuda", cwd=tmp_path, code=1, **PLAIN)
    lines = [line for line in process.stderr.splitlines() if "compiling" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("Error: device 'cuda' cannot be used: no NVIDIA driver is installed")
    assert "--device cpu" in lines[0]
    assert process.stdout == ""
    assert not list(tmp_path.glob("runs/*"))


@without_gpu
def test_auto_says_which_device_it_is(tmp_path):
    process = run("train", *SMALL, "--device", "auto", cwd=tmp_path, **PLAIN)
    assert "device auto is cpu: no NVIDIA driver is installed" in process.stderr
    assert json.loads((tmp_path / "run/manifest.json").read_text())["settings"]["device"] == "cpu"


def test_the_device_is_the_cpu_unless_asked(tmp_path):
    process = run("train", *SMALL, cwd=tmp_path, **PLAIN)
    assert "device" not in process.stdout + process.stderr
    assert json.loads((tmp_path / "run/metrics.json").read_text())["config"]["device"] == "cpu"


def test_a_wrong_device_is_refused(tmp_path):
    assert "'gpu' is not one of" in run("train", "--device", "gpu", cwd=tmp_path, code=2).stderr
    with pytest.raises(ArgumentError, match="device must be one of auto, cpu, cuda, got 'gpu'"):
        Settings(device="gpu").resolved()
    with pytest.raises(ArgumentError, match="device must be one of auto, cpu, cuda, got 'gpu'"):
        devices.choose("gpu")


@without_gpu
def test_choosing_a_device_imports_nothing_of_cuda():
    """And takes no time: the driver is looked for first."""
    program = """
import sys
from minibn.train import fit
from minibn.nn import mlp
import numpy as np
fit(mlp([2, 3, 2], rng=0), np.eye(4, 2), np.arange(4) % 2, epochs=1, batch_size=2, device="auto")
found = [name for name in sys.modules if name.startswith(("numba.cuda", "numba_cuda", "minibn.kernels.cuda", "minibn.program.cuda", "cuda."))]
print(found)
"""
    environment = {**os.environ, **PLAIN}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@without_gpu
def test_asking_for_cuda_raises_what_info_says(monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "0")
    with pytest.raises(DeviceError) as caught:
        devices.choose("cuda")
    assert str(caught.value) == devices.what_is_missing()
    assert devices.choose("auto") == devices.choose("cpu") == "cpu"


def test_info_says_what_cuda_lacks(tmp_path):
    report = run_json("info", cwd=tmp_path, **PLAIN)["cuda"]
    assert set(report) == {"usable", "missing", "parts"}
    parts = {part["name"]: part for part in report["parts"]}
    assert list(parts) == ["driver", "numba-cuda", "toolkit", "cuBLAS"]
    for part in parts.values():
        assert (part["found"] is None) != (part["remedy"] is None)
    if NO_GPU:
        assert not report["usable"]
        assert report["missing"] == devices.what_is_missing()
        assert "driver" in parts["driver"]["remedy"]
    if importlib.util.find_spec("numba_cuda") is None:
        assert parts["numba-cuda"]["remedy"] == "pip install 'minibn[cuda]'"
    shown = run("info", cwd=tmp_path, **PLAIN).stdout.splitlines()
    assert [line.split()[0] for line in shown[4:]] == ["cuda", *parts]
