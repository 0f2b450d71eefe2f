"""``minibn cache``: what is on disk, removing it, and filling it ahead."""

import json
import os
import time

import pytest
from cases import NOT_KERNELS, needs_jit
from command import run, run_json

from minibn import kernels
from minibn.kernels import entries
from minibn.program import warm_up

ONE_KERNEL = "import numpy as np; from minibn import kernels; kernels.relu_forward(np.ones(1), np.ones(1))"
COUNTS = "entries", "bytes", "stale_entries", "stale_bytes"


def counts(folder, **environment):
    report = run_json("cache", "info", cwd=folder, NUMBA_CACHE_DIR=str(folder / "c"), **environment)
    sums = [sum(part[name] for part in report["folders"]) for name in COUNTS]
    assert sums == [report[name] for name in COUNTS]
    return sums


@needs_jit
@pytest.mark.subprocess
def test_a_warm_cache_is_all_that_a_first_run_needs(tmp_path):
    given = {"cwd": tmp_path, "NUMBA_CACHE_DIR": str(tmp_path / "c")}
    warmed = run("cache", "warmup", **given)
    versions, compiled = (int(word) for word in warmed.stdout.split() if word.isdigit())
    assert versions == compiled == counts(tmp_path)[0]
    assert f"compiling: {versions}/{versions} versions" in warmed.stderr
    for arguments in (
        ("--activation", "tanh", "--optimizer", "adam", "--class-weight", "balanced"),
        ("--no-bn", "--hidden", 300, "--hidden", 300, "--batch-size", 200),
    ):
        trained = run("train", "--epochs", 1, *arguments, "--out", f"run{len(arguments)}", **given)
        assert "compiling" not in trained.stderr
    again = run_json("cache", "warmup", **given)
    assert (again["versions"], again["compiled"], again["entries"]) == (versions, 0, versions)
    changed = counts(tmp_path, NUMBA_OPT="1")
    assert changed[0] == 0 and changed[2] == versions


@needs_jit
@pytest.mark.subprocess
def test_clear_removes_what_is_asked_for_and_nothing_else(tmp_path, python):
    (tmp_path / "mine.py").write_text(
        "from minibn.kernels import njit, relu_forward\n@njit\ndef mine(x, y):\n    relu_forward(x, y)\n"
    )
    mine = f"{ONE_KERNEL}; from mine import mine; mine(np.ones(1), np.ones(1)); print(mine.stats.cache_hits)"
    given = {"cwd": tmp_path, "NUMBA_CACHE_DIR": str(tmp_path / "c")}
    python(mine, **given)
    fresh = counts(tmp_path)
    assert (fresh[0], fresh[2:]) == (1, [0, 0])
    folder = next(path for path in (tmp_path / "c").iterdir() if path.name.startswith("cpu"))
    (folder / "old.kernel-1.py311.1.nbc").write_bytes(b"12345")
    (folder / "old.kernel-1.py311.nbi").write_bytes(b"not an index")
    (folder / "notes.txt").write_text("mine")
    assert counts(tmp_path) == [*fresh[:2], 1, 17]
    report = run_json("cache", "clear", "--stale", **given)
    assert (report["entries"], report["bytes"]) == (1, 17)
    assert counts(tmp_path) == fresh
    assert "removed   1 entry" in run("cache", "clear", **given).stdout
    assert counts(tmp_path) == [0, 0, 0, 0]
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert "1" in python(mine, **given)  # the caller's own entry is still there


@pytest.mark.subprocess
def test_wrong_usage(tmp_path):
    assert "Compile ahead what a first 'minibn train' would." in run("cache", cwd=tmp_path, code=2).stderr
    assert "No such command 'nothing'" in run("cache", "nothing", cwd=tmp_path, code=2).stderr
    refused = run("cache", "warmup", cwd=tmp_path, code=2, NUMBA_DISABLE_JIT="1")
    assert refused.stderr.startswith("Error: NUMBA_DISABLE_JIT is set")
    info = run("cache", "info", "--json", cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert json.loads(info.stdout)["folders"] == []


def test_warming_up_everything_names_every_kernel():
    named = {*warm_up._ALONE, *warm_up._ELEMENTWISE}
    assert named == set(kernels.__all__) - NOT_KERNELS


@pytest.mark.parametrize("everything", [False, True])
def test_the_kernels_to_warm_up_are_each_listed_once(monkeypatch, everything):
    """What is compiled is tested through the command; here only which versions, for both settings."""
    listed, told = [], []
    monkeypatch.setattr(warm_up, "address", lambda function, *examples: listed.append((function, examples)))
    total = warm_up.warm_up(everything, lambda done, of: told.append((done, of)))
    assert told == [(k, total) for k in range(1, total + 1)]
    keys = {(function, *map(warm_up._type, examples)) for function, examples in listed}
    assert len(keys) == len(listed) == total
    functions = {function for function, _ in listed}
    public = {getattr(kernels, name) for name in set(kernels.__all__) - NOT_KERNELS}
    assert (public <= functions) == everything


@pytest.mark.parametrize(("seconds", "found"), [(0, 0), (3600, 1)])
def test_a_file_that_is_being_written_is_left_alone(tmp_path, seconds, found):
    (tmp_path / "a.b-1.py311.nbi.tmp.0123abcd").write_bytes(b"half")
    written = time.time() - seconds
    os.utime(tmp_path / "a.b-1.py311.nbi.tmp.0123abcd", (written, written))
    assert len(entries.cache_files(tmp_path)) == found
