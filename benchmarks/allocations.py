"""What an epoch allocates after its first step, counted in three ways.

An epoch of one step is compared with one of many, on the same data: what both allocate, they allocate before the first
step or after the last.
"""

import gc
import resource
import sys
import tracemalloc

import numpy as np
from numba.core.runtime import _nrt_python, rtsys

from benchmarks.against.minibn_training import program_of
from benchmarks.networks import HEADLINE

NAMES = {
    "allocations by compiled code": "allocations",
    "bytes that Python traces": "bytes",
    "growth of the process's high-water mark": "KiB",
}
_CALLS = 10
_RESULTS = 5 * 8  # bytes that an epoch returns for each of its steps


def _compiled(play):
    """Return how often compiled code asks Numba's runtime for memory."""
    before = rtsys.get_allocation_stats()
    play()
    after = rtsys.get_allocation_stats()
    return after.alloc - before.alloc + after.mi_alloc - before.mi_alloc


def _traced(play):
    """Return the bytes that Python and NumPy hold at most during a call, beyond those they held before.

    The least of some calls: the first ones meet fewer objects that Python keeps for the next.
    """
    return min(_peak(play) for _ in range(_CALLS))


def _peak(play):
    gc.collect()
    tracemalloc.start()
    play()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _high_water():
    """Return the most memory that this process has held, in KiB; macOS counts bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def _row(name, value, steps):
    return {
        "name": name,
        "shape": f"{steps} steps of the headline",
        "threads": 1,
        "against": "",
        "ratio": value,
        "low": value,
        "high": value,
        "better": "less",
        "unit": NAMES[name],
    }


def measure(quick):
    """Return a row per way of counting."""
    x, y = HEADLINE.data(HEADLINE.rows)
    program, repeats = program_of(HEADLINE), 20 if quick else 200
    # Both play more than 256 steps: Python keeps smaller numbers ready, and makes an object of a larger count.
    some, many = (np.tile(np.arange(HEADLINE.rows), times) for times in (10, repeats))
    short, long = (lambda o=order: program.run_epoch(x, y, o, HEADLINE.batch) for order in (some, many))
    fewer, steps = len(short().losses), len(long().losses)
    _nrt_python.memsys_enable_stats()
    compiled = _compiled(long) - _compiled(short)
    traced = max(0, _traced(long) - _traced(short) - _RESULTS * (steps - fewer))
    before = _high_water()
    long()
    values = (compiled, traced, _high_water() - before)
    return [_row(name, value, steps) for name, value in zip(NAMES, values, strict=True)]
