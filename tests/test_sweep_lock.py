"""Two sweeps into one place at one time: the second is refused, and the first is none the worse for it."""

import os
import signal

import numpy as np
import pytest
from command import run
from test_sweep_processes import SWEEP, begin

from minibn.errors import ArgumentError
from minibn.lab import Grid, sweep
from minibn.lab.sweeps.lock import alone
from minibn.lab.sweeps.trial_file import stored_grid
from minibn.train import Settings

pytest.importorskip("fcntl", reason="the system has no such locks")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x=np.random.default_rng(3).standard_normal((20, 3)), y=np.arange(20) % 2)
    return Grid(Settings(data=str(path), hidden=(4,), epochs=1, batch_size=8), {"lr": (0.1,)}, seeds=(0,))


def test_the_second_is_refused_while_the_first_runs(grid, tmp_path):
    path, refused = tmp_path / "trials.jsonl", []

    def second(done, all_of_them):
        before = path.read_bytes()
        with pytest.raises(
            ArgumentError, match=f"{path.name} belongs to a sweep that is running; let it end"
        ) as caught:
            sweep(grid, path)
        sweep(grid, tmp_path / "other.jsonl")
        assert path.read_bytes() == before
        refused.append(str(caught.value))

    sweep(grid, path, progress=second)
    assert refused and "\n" not in refused[0]
    assert path.read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert {entry.name for entry in tmp_path.iterdir()} == {"trials.jsonl", "other.jsonl"}
    sweep(grid, path)


def test_what_was_left_behind_locks_nothing(grid, tmp_path):
    (tmp_path / ".trials.jsonl.lock").touch()
    sweep(grid, tmp_path / "trials.jsonl")
    assert [entry.name for entry in tmp_path.iterdir()] == ["trials.jsonl"]


def test_an_error_opens_the_lock(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path / "trials.jsonl"):
        raise KeyError
    with alone(tmp_path / "trials.jsonl"):
        pass


@pytest.mark.subprocess
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system cannot stop a process")
def test_commands(tmp_path):
    """The first is stopped in its middle, so that it runs as long as the test needs."""
    process = begin(*SWEEP, "--jobs", "1", cwd=tmp_path)
    os.kill(process.pid, signal.SIGSTOP)
    file = tmp_path / "sweep" / "trials.jsonl"
    before = file.read_bytes()
    for more in (("--out", "sweep"), ("--out", "sweep", "--overwrite")):
        error = run(*SWEEP, *more, cwd=tmp_path, code=2).stderr
        assert (
            error
            == "Error: sweep/trials.jsonl belongs to a sweep that is running; let it end, or give another place\n"
        )
    assert "is running" in run("sweep", "--resume", "sweep", cwd=tmp_path, code=2).stderr
    assert file.read_bytes() == before
    process.kill()
    process.communicate()
    sweep(stored_grid(file), file)
    assert not (tmp_path / "sweep" / ".trials.jsonl.lock").exists()
