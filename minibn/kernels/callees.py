"""What ends up in the machine code of a function besides its own source file.

Numba compiles a function together with the compiled functions that it names, and with the numbers that stand in
global variables, but validates a cached one by its own file alone.
"""

import hashlib
import inspect
from pathlib import Path
from types import CodeType, ModuleType

import numpy as np
from numba.core.dispatcher import Dispatcher

_OURS = Path(__file__).parents[1]
_FROZEN = (bool, int, float, complex, str, bytes, tuple, np.generic)


def dependencies(function):
    """Describe all that a function is compiled from outside of its own file and of minibn.

    Parameters
    ----------
    function : callable
        A plain Python function.

    Returns
    -------
    tuple of tuple of str
        Name and digest: of the source files of the compiled functions that it names, and that these name; and of
        the global constants among these names.
    """
    found, waiting, seen = set(), [function], set()
    while waiting:
        caller = waiting.pop()
        if caller in seen:
            continue
        seen.add(caller)
        for name, value in _named(caller):
            if isinstance(value, Dispatcher):
                waiting += _outside(value.py_func)
            elif isinstance(value, _FROZEN + (np.ndarray,)):
                found.add((f"{caller.__module__}.{caller.__qualname__}: {name}", _short(plain(value))))
    found |= {(inspect.getfile(callee), _file(callee)) for callee in seen - {function}}
    return tuple(sorted(found))


def _outside(function):
    """Return a list of the function, empty for one of minibn: the digest of all kernels knows it."""
    return [] if _OURS in Path(inspect.getfile(function)).parents else [function]


def _file(function):
    path = Path(inspect.getfile(function))
    return _short(path.read_bytes() if path.is_file() else function.__code__.co_code)


def _short(content):
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _named(function):
    """Yield (name, value) of the globals and the attributes of modules whose names occur in a function's code."""
    names, scope = _names(function.__code__), function.__globals__
    yield from _below("", {name: scope[name] for name in names & scope.keys()}, names, set())


def _names(code):
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _below(prefix, values, names, seen):
    for name, value in values.items():
        if not isinstance(value, ModuleType):
            yield prefix + name, value
        elif value not in seen:
            seen.add(value)
            inside = {inner: vars(value)[inner] for inner in names & vars(value).keys()}
            yield from _below(f"{prefix}{name}.", inside, names, seen)


def plain(value):
    """Return a text that is the same in each process for equal values: sets have no order, functions no address."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{plain(k)}: {plain(v)}' for k, v in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(plain, value)))}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(plain, value))})"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)
