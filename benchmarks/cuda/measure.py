"""Run the suite: what is right first, then what is fast."""

import importlib.metadata

from benchmarks import machine
from benchmarks.cuda import correctness, goals
from benchmarks.measure import FULL, QUICK, interleave, microseconds, ratio

_SHAPES = ((8192, 1024), (65536, 1024), (65536, 256), (1000, 20))
_FLOORS = {goals.FORWARD: 3, goals.FUSED: 3, goals.BACKWARD: 5}  # arrays read and written
_PACKAGES = ("numba-cuda", "cuda-core", "cuda-bindings", "torch")
_SIZE = 4096


def versions():
    """Return the versions of what computes; None for what is not installed."""
    found = machine.versions()
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def compare(name, shape, seconds, arrays=None):
    """Return the detail rows of one comparison.

    Parameters
    ----------
    name, shape : str
    seconds : dict of str to ndarray
        Per call, round by round: of minibn, of peers, and of a copy of one array.
    arrays : int, optional
        Arrays that are read or written at least: with the copy's rate, the floor.
    """
    ours, peers = seconds["minibn"], dict(seconds)
    del peers["minibn"]
    if arrays is not None:
        peers["floor"] = peers["copy"] * (arrays / 2)  # a copy reads one and writes one
    return [
        {
            "name": name, "shape": shape, "threads": 1, "against": against, "better": "more", **ratio(theirs / ours),
            "minibn_us": microseconds(ours), "peer_us": microseconds(theirs), "rounds": len(ours),
        }
        for against, theirs in peers.items()
    ]  # fmt: skip


def kernels(quick, say):
    """Time batch norm and products by replay; return detail rows."""
    from benchmarks.cuda.replay import Replay
    from benchmarks.cuda.subjects import BatchNorm, products

    replay, details, rounds = Replay(), [], 10 if quick else 40
    for shape in _SHAPES[:2] if quick else _SHAPES:
        norm, label = BatchNorm(shape, replay.stream), "x".join(map(str, shape))
        passes = {goals.FORWARD: norm.forward, goals.BACKWARD: norm.backward, goals.FUSED: norm.fused}
        for name, make in passes.items():
            seconds = replay.interleave(make(), norm.sets, rounds)
            found = compare(name, label, seconds, _FLOORS[name])
            details += found
            say(f"{name} {label}", found)
    seconds = replay.interleave(products(_SIZE, replay.stream), 1, rounds)
    found = compare(goals.PRODUCT, f"{_SIZE}x{_SIZE}x{_SIZE}", seconds)
    say(goals.PRODUCT, found)
    return details + found


def training(quick, say):
    """Time the headline epoch; return detail rows."""
    from benchmarks.cuda.subjects import headline

    found = compare(goals.HEADLINE, "1000x20", interleave(headline(), QUICK if quick else FULL))
    say(goals.HEADLINE, found)
    return found


def report(device, checked, details, quick):
    """Return the report of a run, as the other suites have it, and what was checked."""
    return {
        "versions": versions(),
        "cpu": f"{machine.cpu()}; {device}",
        "threads": [1],
        "quick": quick,
        "missing": [],
        "control": [],
        "rows": goals.rows(details),
        "details": details,
        "correctness": checked,
        "curves": [],
        "without_case": [],
    }


def checks(say, small=False):
    """Return the rows of :mod:`benchmarks.cuda.correctness`, saying what is wrong as it is found."""
    rows = []
    for row in correctness.rows(small):
        rows.append(row)
        if not row["right"]:
            say(f"WRONG: {row['name']} {row['shape']}: {row['error']:.1e}, allowed {row['tolerance']:.1e}")
    say(f"correct: {sum(row['right'] for row in rows)} of {len(rows)}")
    return rows
