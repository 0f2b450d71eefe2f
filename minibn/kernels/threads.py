"""How many threads the checked functions may use: one setting for the process, 1 unless it is changed."""

import importlib
import warnings
from numbers import Integral

from minibn.errors import ArgumentError, DtypeError

SMALLEST = 2_000_000
"""Bytes of an array from which a second thread pays, also one that has to wake up first."""

_threads = 1


def set_threads(n):
    """Let the batch-norm functions use up to ``n`` threads on arrays of 2 MB and more.

    The results are the same bits for every number of threads. The first call on several threads compiles for
    some seconds. Where Numba's OpenMP layer is missing a warning says so, and one thread is used.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    DtypeError, ArgumentError
    """
    global _threads
    if not isinstance(n, Integral) or isinstance(n, bool):
        raise DtypeError(f"n must be an integer, got {type(n).__name__}; pass an int")
    if n < 1:
        raise ArgumentError(f"n must be at least 1, got {n}; 1 means serial")
    _threads = int(n) if n == 1 or _openmp() else 1


def get_threads():
    """Return the number of threads that the batch-norm functions may use."""
    return _threads


def threads_for(array):
    """Return how many threads a call on this array uses."""
    return _threads if array.nbytes >= SMALLEST else 1


def _openmp():
    """Return whether OpenMP is there; Numba's own thread pool aborts when two Python threads enter it."""
    try:
        importlib.import_module("numba.np.ufunc.omppool")
    except ImportError:
        warnings.warn(
            "Numba has no OpenMP layer here, so batch norm stays on one thread; install an OpenMP runtime",
            RuntimeWarning,
            stacklevel=3,
        )
        return False
    return True
