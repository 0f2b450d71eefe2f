"""Batch norm with several threads against itself with one, on arrays of 1 MB and more."""

from functools import partial

import numpy as np

from benchmarks import control
from benchmarks.cases import CASES, label, shapes
from benchmarks.measure import FULL, QUICK, interleave, microseconds, ratio
from benchmarks.progress import say
from minibn import functional

NAMES = ("batch_norm_forward", "batch_norm_backward", "batch_norm_relu_forward", "batch_norm_relu_backward")
LEAST_BYTES = 10**6
_ARGUMENTS = {
    "batch_norm_forward": ("x", "gamma", "beta"),
    "batch_norm_relu_forward": ("x", "gamma", "beta"),
    "batch_norm_backward": ("dy", "x", "gamma", "mean", "var"),
    "batch_norm_relu_backward": ("dy", "x", "gamma", "beta", "mean", "var"),
}


def large_shapes(case, quick):
    """Return the shapes of a case whose arrays are float32 of ``LEAST_BYTES`` and more."""
    return [shape for shape in shapes(case, quick) if 4 * np.prod(shape) >= LEAST_BYTES]


def _with_threads(call, counts):
    """Return a call per number of threads; the number is set only where it changes, which may take time itself."""
    current = None

    def run(count):
        nonlocal current
        if count != current:
            functional.set_threads(count)
            current = count
        return call()

    return [partial(run, count) for count in counts]


def _equal(left, right):
    """Raise unless both calls return the same bits, which minibn promises for any number of threads."""
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def measure(case, shape, threads, effort):
    """Time one function with ``threads`` threads against itself with one; return a row and the control."""
    arguments = case.arguments(np.random.default_rng(1), *shape)
    call = partial(getattr(functional, case.name), *(arguments[name] for name in _ARGUMENTS[case.name]))
    one, many = _with_threads(call, (1, threads))
    _equal(one(), many())
    seconds = interleave({"one": one, "many": many} | control.subjects(), effort)
    row = {
        "name": case.name,
        "shape": label(shape),
        "threads": threads,
        "against": "1 thread",
        **ratio(seconds["one"] / seconds["many"]),
        "better": "more",
        "minibn_us": microseconds(seconds["many"]),
        "peer_us": microseconds(seconds["one"]),
        "rounds": len(seconds["one"]),
    }
    return row, control.ratios(seconds)


def run(settings):
    """Time every large shape; nothing, with the reason, where minibn cannot be told its number of threads."""
    if not hasattr(functional, "set_threads"):
        say("minibn.functional has no set_threads: nothing to measure with several threads")
        return {"details": [], "control": []}
    details, controls, effort = [], [], QUICK if settings.quick else FULL
    for case in (case for case in CASES if case.name in NAMES):
        for shape in large_shapes(case, settings.quick):
            row, series = measure(case, shape, settings.threads, effort)
            details.append(row)
            controls.append(series)
            say(f"{case.name} {row['shape']}, {settings.threads} threads", [row])
    return {"details": details, "control": [control.summary(controls, settings.threads)]}
