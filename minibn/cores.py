"""How many processor cores there are to use. Numba is not imported, so that it can be set up by them."""

import os
from pathlib import Path

_QUOTAS = Path("/sys/fs/cgroup")


def usable_cores():
    """Return how many cores this process may use: those that it may run on, and no more than its container's share."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, share(_QUOTAS, cores)))


def share(folder, cores):
    """Return how many cores a container's time is worth, rounded up; all of them where Linux names no limit.

    Parameters
    ----------
    folder : Path
        Where the control groups of the container stand, of version 2 or 1.
    cores : int
    """
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit, period = ((folder / f"cpu/cpu.cfs_{of}_us").read_text() for of in ("quota", "period"))
        except OSError:
            return cores
    try:
        quota = -(-int(limit) // int(period))
    except (ValueError, ZeroDivisionError):  # "max" stands for no limit
        return cores
    return quota if quota > 0 else cores
