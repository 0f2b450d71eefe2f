"""Sweeps in other processes: spawned, on a dask cluster, killed, interrupted, continued."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import MINIBN, run

from minibn.errors import WorkerError
from minibn.lab import Grid, sweep
from minibn.lab.sweeps.executors import dask_cluster, local_processes
from minibn.lab.sweeps.trial_file import stored_grid
from minibn.train import Settings

pytestmark = pytest.mark.subprocess

SWEEP = ("sweep", "--lr", "0.01,0.3,3", "--activation", "relu,tanh", "--seeds", "12", "--epochs", "10")
TRAININGS = 3 * 2 * 12 * 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """File and report of a sweep that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    process = run(*SWEEP, "--out", "whole", cwd=folder)
    return (folder / "whole" / "trials.jsonl").read_bytes(), process.stdout


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    rng = np.random.default_rng(3)
    y = np.arange(120) % 2
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x=rng.standard_normal((120, 3)) + y[:, None], y=y)
    settings = Settings(data=str(path), hidden=(40,), epochs=3, batch_size=16)
    return Grid(settings, {"lr": (0.1, 1e3, 1e9), "depth": (1, 2)}, tuple(range(4)))


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def begin(*arguments, cwd):
    """Start a command of its own and wait until its sweep has kept some results."""
    process = subprocess.Popen(
        [*MINIBN, *arguments, "--out", "sweep"],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: lines_of(cwd / "sweep" / "trials.jsonl") > 3 or process.poll() is not None)
    return process


def test_spawned_processes_give_the_same_file(grid, tmp_path):
    sweep(grid, tmp_path / "here.jsonl")
    report = sweep(grid, tmp_path / "there.jsonl", jobs=2)
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert any(cell["without_bn"]["diverged"] for cell in report.numbers["cells"])


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_sweep_resumes_to_the_same_file(whole, tmp_path, jobs):
    """Once by the same command, once by ``--resume``."""
    process = begin(*SWEEP, "--jobs", jobs, cwd=tmp_path)
    process.kill()
    process.communicate()
    file = tmp_path / "sweep" / "trials.jsonl"
    assert 3 < lines_of(file) < 1 + TRAININGS, "killed too late to be a test"
    again = (*SWEEP, "--out", "sweep") if jobs == "1" else ("sweep", "--resume", "sweep", "--jobs", jobs)
    shown = run(*again, cwd=tmp_path).stdout
    assert file.read_bytes() == whole[0]
    assert shown == whole[1].replace("whole", "sweep")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_is_one_line_and_leaves_a_file_to_continue(whole, tmp_path, jobs):
    process = begin(*SWEEP, "--jobs", jobs, cwd=tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted; to continue: minibn sweep --resume sweep"
    assert "Traceback" not in err
    file = tmp_path / "sweep" / "trials.jsonl"
    sweep(stored_grid(file), file)
    assert file.read_bytes() == whole[0]


WORKERS = """
import os, sys, time
from concurrent.futures import wait
from minibn.lab.sweeps.executors import local_processes

if __name__ == "__main__":
    with local_processes(2) as (pool, count):
        wait([pool.submit(time.sleep, 0.2) for _ in range(4)])
        print(*pool._processes, flush=True)
        if sys.argv[1] == "raise":
            pool.submit(time.sleep, 600)
            raise SystemExit(3)
        time.sleep(600)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("end", ["kill", "raise"])
def test_workers_do_not_outlive_the_process_that_started_them(tmp_path, end):
    (tmp_path / "workers.py").write_text(WORKERS)
    process = subprocess.Popen(
        [sys.executable, "workers.py", end], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    pids = process.stdout.readline().split()
    assert len(pids) == 2
    if end == "kill":
        assert all(map(alive, pids))
        process.kill()
    assert process.wait(timeout=60) == (3 if end == "raise" else -signal.SIGKILL)
    process.stdout.close()
    wait_for(lambda: not any(map(alive, pids)))


def test_a_worker_that_is_killed_is_one_error_and_the_file_stays_good(grid, tmp_path):
    sweep(grid, tmp_path / "whole.jsonl")
    path = tmp_path / "t.jsonl"
    with pytest.raises(WorkerError, match="a worker process died"), local_processes(2) as (pool, count):

        def kill_one(done, total):
            with suppress(ProcessLookupError):  # told of a second trial, it finds the first worker gone
                os.kill(next(iter(pool._processes)), signal.SIGKILL)

        sweep(grid, path, executor=pool, workers=count, progress=kill_one)
    assert 1 < lines_of(path) < lines_of(tmp_path / "whole.jsonl")
    sweep(grid, path)
    assert path.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers of two threads each on this machine; gives its address."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--no-nanny",
        "--nthreads",
        "2",
        "--no-dashboard",
    ]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([*dask, "--host", "127.0.0.1", "--port", address.split(":")[-1]], **quiet)]
    try:
        started += [subprocess.Popen(worker, **quiet) for _ in range(2)]
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_a_dask_cluster_gives_the_same_file(cluster, grid, tmp_path):
    import distributed

    with distributed.Client(cluster, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    with dask_cluster(cluster) as (executor, workers):
        assert workers == 4
        report = sweep(grid, tmp_path / "there.jsonl", executor=executor, workers=workers)
    assert report == sweep(grid, tmp_path / "here.jsonl")
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    run("sweep", "--lr", "0.1,3", "--seeds", 2, "--out", "sweep", "--dask", cluster, cwd=tmp_path)
    file = tmp_path / "sweep" / "trials.jsonl"
    sweep(stored_grid(file), tmp_path / "example.jsonl")
    assert file.read_bytes() == (tmp_path / "example.jsonl").read_bytes()


@pytest.mark.skipif(shutil.which("mpiexec") is None, reason="there is no mpiexec")
def test_mpi_gives_the_same_file(tmp_path):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    options = ("sweep", "--lr", "0.1,3", "--seeds", "3", "--out")
    mpi = ["mpiexec", *(("--allow-run-as-root",) if os.geteuid() == 0 else ()), "--oversubscribe", "-n", "3"]
    command = [*mpi, sys.executable, "-m", "mpi4py.futures", "-m", "minibn_cli", *options, "there", "--mpi"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    there = tmp_path / "there" / "trials.jsonl"
    sweep(stored_grid(there), tmp_path / "here.jsonl")
    assert there.read_bytes() == (tmp_path / "here.jsonl").read_bytes()
