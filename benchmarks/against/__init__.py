"""The peers: what is installed under which name, and the modules that call them.

A module of *kernels* has functions named as minibn's. Such a function takes the kernel's arguments, allocates what the
peer needs, and returns two things: a function of no argument that does the work once, and the arrays it leaves, by the
kernel's names for them (or, where each call makes new ones, a function that returns them). They are compared with the
kernel's before anything is timed. A kernel that a peer lacks is left out. ``prepare()``, where there is one, makes
the settings of the process.

A module of *training* has ``build(network, layers, x, y)``, which returns a function of the order of the rows that
trains for one epoch and returns its mean loss.
"""

import importlib

MODULES = {"numpy": "numpy", "torch": "torch", "jax": "jax", "sklearn": "sklearn"}
"""The package that each peer is imported from."""

DISTRIBUTIONS = {"numpy": "numpy", "torch": "torch", "jax": "jax", "sklearn": "scikit-learn"}

TITLES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "sklearn": "scikit-learn"}

_KERNELS, _TRAINING = ("numpy", "torch", "jax"), ("torch", "jax", "sklearn")


def kernel_peers(names):
    """Return the modules of kernels, by peer."""
    return {
        name: importlib.import_module(f"benchmarks.against.{name}_kernels")
        for name in names
        if name in _KERNELS
    }


def training_peers(names):
    """Return the modules of training, by peer."""
    return {
        name: importlib.import_module(f"benchmarks.against.{name}_training")
        for name in names
        if name in _TRAINING
    }
