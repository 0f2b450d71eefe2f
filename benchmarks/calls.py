"""Calls of minibn's and of a peer's version of a case, each on arrays of its own."""

import inspect
from functools import partial

import numpy as np

from benchmarks.placement import placed
from minibn import kernels


def functions(case, module):
    """Return a module's functions for a case, or None where it lacks one."""
    found = [getattr(module, name, None) for name in case.kernels]
    return None if None in found else found


def _names(function):
    return list(inspect.signature(getattr(function, "py_func", function)).parameters)


def _arrays(called, arguments, rng):
    """Return copies of the arguments that some functions name, at places of their own."""
    names = dict.fromkeys(name for function in called for name in _names(function))
    return {name: placed(arguments[name], rng) for name in names}


def _chain(calls):
    """Return one function that makes some calls in turn, and returns what the last one does."""
    if len(calls) == 1:
        return calls[0]

    def run():
        for call in calls:
            result = call()
        return result

    return run


def ours(case, arguments, rng):
    """Return a call of minibn's kernels, and their arrays by name."""
    called = functions(case, kernels)
    arrays = _arrays(called, arguments, rng)
    return _chain(
        [partial(function, *(arrays[name] for name in _names(function))) for function in called]
    ), arrays


def theirs(case, module, arguments, rng):
    """Return a call of a peer's version, and a function that returns what it left, by name."""
    called = functions(case, module)
    arrays = _arrays(called, arguments, rng)
    built = [function(*(arrays[name] for name in _names(function))) for function in called]

    def outputs():
        return {
            k: np.asarray(v) for _, left in built for k, v in (left() if callable(left) else left).items()
        }

    return _chain([run for run, _ in built]), outputs


def copy(arrays, rng):
    """Return a copy of the largest array: the least work that reads and writes it once."""
    largest = max((a for a in arrays.values() if isinstance(a, np.ndarray)), key=lambda a: a.nbytes)
    return partial(np.copyto, placed(largest, rng), largest)
