"""The suite ``startup``: whole processes, from the shell's point of view."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.measure import ratio
from benchmarks.progress import say

_PYTHON = [sys.executable, "-c"]
BASELINES = {
    "pass": [*_PYTHON, "pass"],
    "pass again": [*_PYTHON, "pass"],
    "import numba, matplotlib": [*_PYTHON, "import numba, matplotlib"],
    "import numba, matplotlib.pyplot": [*_PYTHON, "import numba, matplotlib.pyplot"],
}


def program():
    """Return the command ``minibn`` of this interpreter's environment, or the module behind it."""
    beside = Path(sys.executable).with_name("minibn")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "minibn_cli"]


def environment(home):
    """Return an environment in which every cache lies in one folder, and nothing of the user's is read.

    Python keeps its bytecode, as it does unless told otherwise, and as it is for every package that pip installed.
    """
    keys = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
    return {**os.environ, **dict.fromkeys(keys, str(home)), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": ""}


@contextmanager
def _folder():
    home = Path(tempfile.mkdtemp(prefix="minibn-benchmark-home-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def timed(command, home):
    """Run a command to its end and return its seconds, by the clock and of the processor."""
    start = perf_counter()
    process = subprocess.Popen(
        command, env=environment(home), cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall, process.returncode = perf_counter() - start, os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def _train(home):
    """Return the command of a run into a folder of its own."""
    return [*program(), "train", "--out", tempfile.mkdtemp(prefix="run-", dir=home), "--overwrite"]


def _first_runs(count):
    """Time first runs, each with empty caches."""
    for _ in range(count):
        with _folder() as home:
            yield timed(_train(home), home)


def _later_runs(count):
    """Time everything that has its caches, round by round, after a run that fills them."""
    seconds = defaultdict(list)
    with _folder() as home:
        for i in range(count + 1):
            commands = BASELINES | {"minibn --help": [*program(), "--help"], "minibn train": _train(home)}
            names = list(commands)
            for name in names[i % len(names) :] + names[: i % len(names)]:
                seconds[name].append(timed(commands[name], home))
    return {name: np.array(series[1:]) for name, series in seconds.items()}


def seconds_row(name, against, series):
    """Return a row in seconds; the series has two columns, clock and processor."""
    clock, processor = ratio(series[:, 0]), ratio(series[:, 1])
    row = {
        "name": name,
        "shape": "",
        "threads": 1,
        "against": against,
        **clock,
        "better": "less",
        "unit": "s",
    }
    return row | {"cpu_s": processor["ratio"], "rounds": len(series)}


def _differences(seconds):
    pairs = [("minibn --help", "pass")]
    pairs += [("minibn train", name) for name in BASELINES if name.startswith("import")]
    return [seconds_row(name, against, seconds[name] - seconds[against]) for name, against in pairs]


def run(settings):
    """Time first and later runs; return details and the control, ``python -c pass`` against itself."""
    say("first runs, with empty caches")
    first = seconds_row("first minibn train", "", np.array(list(_first_runs(1 if settings.quick else 5))))
    say("later runs")
    seconds = _later_runs(2 if settings.quick else 15)
    rows = [
        first,
        *_differences(seconds),
        *(seconds_row(name, "", series) for name, series in seconds.items()),
    ]
    for row in rows:
        say(row["name"] + (f" minus {row['against']}" if row["against"] else "") + f": {row['ratio']:.2f} s")
    control = ratio(seconds["pass"][:, 0] / seconds["pass again"][:, 0])
    what = "python -c pass, timed twice in each round; ratio = first / second"
    return {"details": rows, "control": [{"what": what, "threads": 1, **control}]}
