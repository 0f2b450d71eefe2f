"""A second process compiles a part of what a first run needs, and nothing depends on it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cases import needs_jit
from places import PACKAGE, block_caches, copy_package, no_folder, path_to

from minibn.program.instructions import Code

pytestmark = pytest.mark.subprocess

# What follows runs in a process of its own, in which an audit hook notes the second processes that are started.
HEAD = """
import json, os, sys
started = []
sys.addaudithook(lambda event, a: event == "subprocess.Popen" and "second_compiler" in str(a) and started.append(a[1]))
from minibn.program import second_compiler
"""
TRAIN = """
from minibn.kernels import on_compile
compiled = []
on_compile(compiled.append)
from minibn_cli.commands import cli
cli(["train", "--epochs", "1", "--out", sys.argv[1]], standalone_mode=False)
from minibn.program.executor import play
try:
    children = os.waitpid(-1, os.WNOHANG) if hasattr(os, "WNOHANG") else None
except ChildProcessError:
    children = None
print(json.dumps([len(started), children, compiled, sum(play.stats.cache_hits.values())]))
"""
START = """
second_compiler.start()
print(len(started))
"""
CODES = Code.DENSE_FORWARD, Code.RELU_FORWARD, Code.SGD_UPDATE
SHARE = f"""
import signal, time
from minibn.program.instructions import Code
second_compiler.start()
process = second_compiler._started[0]._process
EVENT
given, began = [Code[name] for name in {[code.name for code in CODES]}], time.perf_counter()
left = list(second_compiler.share(given, DTYPE))
print(left == given, time.perf_counter() - began < 10, process.wait(10) != 0)
"""


def said(program, *arguments, folder, cwd=None, **environment):
    """Run a program with its own cache of compiled kernels; return its last line and all of stderr."""
    given = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program, *map(str, arguments)],
        env=given, cwd=cwd or folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1], done.stderr


needs_two = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processor cores")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Of a first run with an empty cache and of the next: second processes, children left, compiled, play loaded."""
    folder = tmp_path_factory.mktemp("runs")
    both = [said(TRAIN, folder / name, folder=folder) for name in ("first", "second")]
    return folder, [json.loads(line) for line, _ in both], [err for _, err in both]


@needs_jit
@needs_two
def test_a_first_run_shares_its_kernels_with_a_second_process(runs):
    (second, children, compiled, loaded), _ = runs[1]
    assert (second, children, loaded) == (1, None, 1)
    assert "dense_forward" in compiled and not {"play", "sgd_update_inplace"} & set(compiled)
    assert len(set(compiled)) == len(compiled)


@needs_jit
@needs_two
def test_the_next_run_starts_none_and_computes_the_same(runs):
    folder, (_, (second, _, compiled, loaded)), (_, err) = runs
    assert (second, compiled, loaded) == (0, [], 1)
    metrics = [json.loads((folder / name / "metrics.json").read_text()) for name in ("first", "second")]
    assert metrics[0]["final"] == metrics[1]["final"]
    assert "compiling" not in err


@needs_jit
@needs_two
def test_nothing_but_progress_is_said(runs):
    for err in runs[2]:
        assert all(line.startswith(("compiling", "training: epoch")) for line in err.splitlines())


@needs_jit
@needs_two
@pytest.mark.parametrize(
    "event",
    [
        "process.kill()",
        "time.sleep(1.5); process.kill()",  # while it compiles
        "second_compiler._PATIENCE = 0.2; process.send_signal(signal.SIGSTOP)",
    ],
)
def test_what_a_lost_process_leaves_is_compiled_here(tmp_path, event):
    if "SIGSTOP" in event and not hasattr(signal, "SIGSTOP"):
        pytest.skip("the system has no such signal")
    line, _ = said(SHARE.replace("EVENT", event).replace("DTYPE", "'float32'"), folder=tmp_path)
    assert line == "True True True"


@needs_jit
@needs_two
def test_a_network_of_another_dtype_is_compiled_here(tmp_path):
    program = SHARE.replace("EVENT", "").replace("DTYPE", "'float64'")
    line, _ = said(program.replace("left == given", "left == []"), folder=tmp_path)
    assert line == "True True True"


@needs_jit
@needs_two
@pytest.mark.parametrize(
    "leave", ["sys.exit()", "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", "KILL"]
)
def test_the_second_process_ends_with_the_first(tmp_path, leave):
    if not Path("/proc/self/stat").exists():
        pytest.skip("the system has no /proc")
    program = f"{HEAD}import signal, time\nsecond_compiler.start()\nprint(second_compiler._started[0]._process.pid, flush=True)\ntime.sleep(0.5)\n"
    first = subprocess.Popen(
        [sys.executable, "-c", program + leave.replace("KILL", "time.sleep(60)")],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with first:
        second = int(first.stdout.readline())
        assert alive(second)
        if leave == "KILL":
            first.kill()
    # killed, it cannot end the other, which does so itself
    end = time.monotonic() + (20 if leave == "KILL" else 0)
    while alive(second) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(second)


def alive(number):
    """Say whether a process runs; one that nobody has asked about does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("given", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_DUMP_IR": "0"}])
def test_none_is_started_where_someone_looks_at_the_compiler(tmp_path, given):
    assert said(START, folder=tmp_path, **given)[0] == "0"


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores"
)
def test_none_is_started_on_one_core(tmp_path):
    program = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    assert said(program + START, folder=tmp_path)[0] == "0"


@needs_jit
@needs_two
def test_none_is_started_where_nothing_can_be_kept(tmp_path):
    place = copy_package(tmp_path / "place")
    paths = {"PYTHONPATH": path_to(place), "folder": tmp_path, "cwd": place}
    assert said(START, **paths)[0] == "1"
    block_caches(place)
    given = no_folder(place) | {"PYTHONPATH": path_to(place)}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + START], env={**os.environ, **given}, cwd=place,
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert done.stdout == "0\n"


def test_the_library_starts_none():
    """Whoever calls ``fit`` has not asked for a process; the commands have."""
    assert not [path for path in PACKAGE.rglob("*.py") if "second_compiler.start(" in path.read_text()]
