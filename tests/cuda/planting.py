"""Kernels with one fault in them, made from the sources by exchanging a line."""

import importlib
import inspect
import pkgutil
from contextlib import contextmanager

from minibn.kernels import cuda
from minibn.kernels.cuda.workspace import forget_workspaces


def _modules():
    return [
        importlib.import_module(f"{cuda.__name__}.{info.name}")
        for info in pkgutil.iter_modules(cuda.__path__)
    ]


def _forget():
    """Have every kernel made anew, and count arrivals from 0."""
    forget_workspaces()
    for module in _modules():
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def _changed(module, line, other):
    """Return the names of a module whose source has another line."""
    source = inspect.getsource(module)
    assert source.count(line) == 1, f"{line!r} occurs {source.count(line)} times"
    names = {"__name__": module.__name__}
    exec(compile(source.replace(line, other), module.__file__, "exec"), names)
    return names


@contextmanager
def planted(name, line, other):
    """Exchange a line of a module of the CUDA kernels, everywhere it is used, for the length of a block."""
    faulty = importlib.import_module(f"{cuda.__name__}.{name}")
    sound = {key: value for key, value in vars(faulty).items() if key.startswith("make_")}
    names, undo = _changed(faulty, line, other), []
    for module in _modules():
        for key, value in sound.items():
            if vars(module).get(key) is value:
                undo.append((module, key, value))
                setattr(module, key, names[key])
    _forget()
    try:
        yield
    finally:
        for module, key, value in undo:
            setattr(module, key, value)
        _forget()
