"""What the timings ran on, and the settings that have to be made before NumPy and Numba are imported."""

import importlib.metadata
import os
import platform
from pathlib import Path

from minibn_cli.options import WAITING

from benchmarks.against import DISTRIBUTIONS
from minibn.cores import usable_cores

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_PACKAGES = ("minibn", "numpy", "numba", "llvmlite", "scipy", "click", "matplotlib")
# Memory that was freed is kept: a peer that makes its result anew at each call would otherwise pay the operating system
# for every page of it, several times what it computes.
_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(1 << 26)}


def environment(threads, cache):
    """Return the environment of a process that measures.

    Parameters
    ----------
    threads : int
        Threads of NumPy's and SciPy's BLAS, Numba, OpenMP and XLA.
    cache : Path
        Folder of compiled kernels; an empty one makes compile times those of a first run.

    Returns
    -------
    dict of str to str
    """
    single = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return {
        **os.environ,
        **dict.fromkeys(_THREADS, str(threads)),
        **_MEMORY,
        "NUMBA_CACHE_DIR": str(cache),
        **WAITING,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": single if threads == 1 else "",
    }


def versions(peers=()):
    """Return the versions of Python and of the packages in use, by distribution."""
    names = dict.fromkeys((*_PACKAGES, *(DISTRIBUTIONS[peer] for peer in peers)))
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def cpu():
    """Return model and number of usable cores, such as ``"AMD EPYC, 2 cores"``."""
    return f"{_model()}, {usable_cores()} cores"


def _model():
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
