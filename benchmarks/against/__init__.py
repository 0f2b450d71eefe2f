"""The peers: each a module with functions named as the kernels.

Such a function takes the kernel's arguments, allocates what the peer needs, and returns two things: a
function of no argument that does the work once, and the arrays it writes, by the kernel's names for them, which
are compared with the kernel's before anything is timed. A kernel that a peer lacks is left out.
``DISTRIBUTION`` is the package whose version is reported.
"""

import importlib

PEERS = {"numpy": "benchmarks.against.numpy_peer"}
"""Peers by name. torch and jax go here as files of their own."""


def peer(name):
    """Import and return the module of a peer."""
    return importlib.import_module(PEERS[name])
