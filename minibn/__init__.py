"""minibn: batch normalization from the kernel to the conclusion.

Importing the package has no effects: nothing is compiled, probed or printed, and Numba is loaded only when
a module that needs it is first used.

Notes
-----
The levels, each importing only those before it: ``kernels``, ``functional``, ``autograd``, ``nn``, ``program``, ``train``
with ``data`` and ``metrics``, ``lab`` and ``interop``.
"""

import importlib

_MODULES = (
    "autograd",
    "data",
    "errors",
    "functional",
    "interop",
    "kernels",
    "lab",
    "metrics",
    "nn",
    "program",
    "train",
)

__all__ = [*_MODULES, "__version__"]


def __getattr__(name):
    if name == "__version__":
        from importlib.metadata import version

        return version("minibn")
    if name in _MODULES:
        return importlib.import_module(f"minibn.{name}")
    raise AttributeError(f"module 'minibn' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
