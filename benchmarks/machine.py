"""What the timings ran on, and the settings that have to be made before NumPy and Numba are imported."""

import atexit
import importlib.metadata
import os
import platform
import shutil
import tempfile
from pathlib import Path

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_PACKAGES = ("minibn", "numpy", "numba", "llvmlite", "scipy")


def pin():
    """Use one thread everywhere, and an empty kernel cache, so that compile times are those of a first run."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    folder = tempfile.mkdtemp(prefix="minibn-benchmark-cache-")
    os.environ["NUMBA_CACHE_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def versions(more=()):
    """Return the versions of Python and of the packages in use.

    Parameters
    ----------
    more : iterable of str
        Distributions of the peers.

    Returns
    -------
    dict of str to str
    """
    found = {name: importlib.metadata.version(name) for name in dict.fromkeys((*_PACKAGES, *more))}
    return {"python": platform.python_version()} | found


def cpu():
    """Return model and number of usable cores, such as ``"AMD EPYC, 2 cores"``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_model()}, {cores} cores"


def _model():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
