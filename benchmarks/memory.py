"""What moving the data takes: batch norm beside NumPy's fastest passes over the same arrays, which compute next to nothing.

``python -m benchmarks.memory`` prints microseconds, and how much faster than a peer the faster of the two is: the most
that a kernel could reach which reads its input twice, as it must where that does not fit into the registers.
"""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks import calls
from benchmarks.against import kernel_peers
from benchmarks.cases import CASES, label
from benchmarks.machine import environment
from benchmarks.measure import FULL, interleave, microseconds

_BEYOND = 1 << 24  # entries of an array that fits into no cache


def _forward(arrays):
    arrays["x"].max()
    arrays["y"][...] = arrays["x"]


def _backward(arrays):
    for name in ("x", "dy", "dy"):
        arrays[name].max()
    arrays["dx"][...] = arrays["x"]


def _both(arrays):
    _forward(arrays)
    _backward(arrays)


_CASES = {"batch_norm_backward": ("torch", _backward), "batch_norm_forward_backward": ("numpy", _both)}


def _halves(arrays):
    """Return the upper and the lower rows of the arrays that have rows."""
    rows = {name: array for name, array in arrays.items() if np.ndim(array) == 2}
    middle = len(rows["x"]) // 2
    return [{name: array[part] for name, array in rows.items()} for part in (np.s_[:middle], np.s_[middle:])]


def _subjects(case, shape, module, passes, pool):
    """Return what is timed in turn, on arrays placed anew."""
    rng = np.random.default_rng(1)
    arguments = case.arguments(rng, *shape)
    ours, arrays = calls.ours(case, arguments, rng)
    found = {
        "minibn": ours,
        "passes": lambda: passes(arrays),
        "peer": calls.theirs(case, module, arguments, rng)[0],
    }
    if arrays["x"].size >= _BEYOND:
        halves = _halves(arrays)
        found["two threads"] = lambda: list(pool.map(passes, halves))
    return found


def _measure(*what):
    """Return the median microseconds of each subject."""
    parts = [interleave(_subjects(*what), FULL) for _ in range(FULL.placements)]
    return {name: microseconds(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def main():
    """Print a line per kernel and shape, and the geometric mean of what could be reached."""
    with ThreadPoolExecutor(2) as pool:
        for case in (case for case in CASES if case.name in _CASES):
            peer, passes = _CASES[case.name]
            module, best = kernel_peers((peer,))[peer], []
            getattr(module, "prepare", lambda: None)()
            print(f"{case.name:<28}{'minibn':>9}{'passes':>9}{peer:>9} /minibn  /least  on 2 threads")
            for shape in case.shapes:
                took = _measure(case, shape, module, passes, pool)
                best.append(took["peer"] / min(took["passes"], took["minibn"]))
                both = f"{took['passes'] / took['two threads']:13.2f}" if "two threads" in took else ""
                times = "".join(f"{took[name]:9.1f}" for name in ("minibn", "passes", "peer"))
                print(f"{label(shape):<28}{times}{took['peer'] / took['minibn']:8.2f}{best[-1]:8.2f}{both}")
            print(f"{'geometric mean':<63}{np.exp(np.mean(np.log(best))):8.2f}")


if __name__ == "__main__":
    settings = environment(1, os.environ.get("NUMBA_CACHE_DIR", tempfile.gettempdir()))
    if settings == os.environ:
        main()
    else:  # what decides about memory and threads is read before anything is imported
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.memory"], settings)
