"""Keras, on the backend that ``KERAS_BACKEND`` names, or on PyTorch; tests skip where either is missing."""

import os

import pytest

BACKEND = os.environ.setdefault("KERAS_BACKEND", "torch")


def keras_or_skip():
    """Return the package."""
    engine = pytest.importorskip(BACKEND, reason=f"{BACKEND}, the backend of Keras here, is not installed")
    if BACKEND == "torch":
        engine.set_num_threads(1)  # its threads would wait for those of other tests
    return pytest.importorskip("keras", reason="Keras is not installed")
