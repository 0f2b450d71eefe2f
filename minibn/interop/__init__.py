"""Models in and out of other libraries; each library is imported only by the function that needs it."""

import importlib

_HOMES = {
    "fold_batch_norm": "folding",
    "from_keras": "keras_models",
    "from_onnx": "onnx_reading",
    "from_torch": "torch_reading",
    "to_keras": "keras_writing",
    "to_onnx": "onnx_writing",
    "to_torch": "torch_writing",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    # On first use: importing one bridge should not load the compiler for another that does without.
    if name in _HOMES:
        return getattr(importlib.import_module(f"minibn.interop.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'minibn.interop' has no attribute {name!r}")


def __dir__():
    return __all__
