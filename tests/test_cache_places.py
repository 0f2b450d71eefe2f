"""Where compiled kernels are kept: read-only installs, users without a home, processes that start at once."""

import os
import subprocess
import sys
import textwrap
import time

import pytest
from cases import needs_jit
from places import CALL, CALLER, block_caches, copy_package, no_folder, path_to, play, write

pytestmark = [needs_jit, pytest.mark.subprocess]

HOMES = "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"


@pytest.fixture
def place(tmp_path):
    """A copy of the package and a user's module, in a folder of their own."""
    folder = tmp_path / "place"
    folder.mkdir()
    write(folder, ours=CALLER.format(source="minibn.kernels", options=""))
    return copy_package(folder)


KERNEL = """
from minibn import kernels
compiled = []
kernels.on_compile(compiled.append)
""" + CALL.format(module="ours")
COUNT = "print(len(compiled), *sorted({str(path) for path in kernels.cache.kernel_folders()}))"


def test_a_read_only_install_uses_the_users_folder(python, place, tmp_path):
    block_caches(place)
    given = {**dict.fromkeys(HOMES, ""), "HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"}
    given["XDG_CACHE_HOME"] = str(tmp_path / "home" / "cache")
    *first, folder = play(python, place, KERNEL + COUNT, **given)
    assert first == ["3.0", "0", "2"]
    assert folder.startswith(str(tmp_path / "home"))
    assert play(python, place, KERNEL + COUNT, **given) == ["3.0", "1", "0", folder]


def test_a_named_folder_that_cannot_be_used_gives_way_to_the_next(python, place):
    (place / "blocker").write_text("")
    given = {"NUMBA_CACHE_DIR": str(place / "blocker" / "cache")}
    *first, folder = play(python, place, KERNEL + COUNT, **given)
    assert (first, folder) == (["3.0", "0", "2"], str(place / "minibn" / "kernels" / "cpu" / "__pycache__"))


NO_HOME = """
import os, pwd, warnings
for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"): os.environ.pop(name, None)
def unknown(number): raise KeyError(number)
pwd.getpwuid = unknown
assert os.path.expanduser("~") == "~"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
"""


def test_a_user_without_a_home_leaves_nothing_where_the_process_stands(python, place, tmp_path):
    """As in a container that runs under a number which the system does not know, from a read-only install."""
    pytest.importorskip("pwd", reason="the system has no such users")
    block_caches(place)
    here = tmp_path / "here"
    here.mkdir()
    program = NO_HOME + textwrap.indent(KERNEL + COUNT, "    ")
    program += "\nprint([str(w.message).count('uncached') for w in caught])"
    words = python(program, cwd=here, PYTHONPATH=path_to(place), PYTHONDONTWRITEBYTECODE="1").split()
    assert words == ["3.0", "0", "2", "[1]"]
    assert not list(here.iterdir())


AT_ONCE = """
import sys, time
from pathlib import Path
from minibn import kernels
Path(sys.argv[1]).touch()
while not Path("go").exists(): time.sleep(0.001)
""" + CALL.format(module="ours")


def test_four_processes_that_start_at_once_on_an_empty_cache(python, place, tmp_path):
    environment = {**os.environ, "PYTHONPATH": path_to(place), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    ready = [tmp_path / f"ready{k}" for k in range(4)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", AT_ONCE, str(path)],
            cwd=place,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        for path in ready
    ]
    while not all(path.exists() for path in ready) and all(p.poll() is None for p in processes):
        time.sleep(0.01)
    (place / "go").write_text("")
    answers = [process.communicate(timeout=300) for process in processes]
    assert [(p.returncode, err) for p, (_, err) in zip(processes, answers, strict=True)] == [(0, "")] * 4
    assert all(out.split()[0] == "3.0" for out, _ in answers)
    assert not list((tmp_path / "cache").rglob("*.tmp.*"))
    later = play(python, place, KERNEL + "print(len(compiled))", NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert later == ["3.0", "1", "0"]


def test_warming_up_says_when_nothing_can_be_kept(place):
    copy_cli = "import sys; sys.path.insert(0, '.'); from minibn_cli.__main__ import main; sys.argv[1:] = ['cache', 'warmup']; main()"
    block_caches(place)
    done = subprocess.run(
        [sys.executable, "-c", copy_cli], cwd=place, capture_output=True, text=True, timeout=300,
        env={**os.environ, **no_folder(place), "PYTHONPATH": path_to(place)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Error: nothing could be kept (no writable cache folder)")
