"""minibn as an ONNX backend: a model is run node by node on the kernels, the tape and the optimizers of minibn.

Like every module of :mod:`onnx.backend`, this one can be handed over itself: it has ``prepare``, ``run_model``,
``run_node``, ``supports_device`` and ``is_compatible``. Importing it needs the onnx package.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minibn.errors import ArgumentError, ConversionError, require_extra
from minibn.interop import onnx_losses, onnx_nodes, onnx_optimizers

onnx = require_extra("onnx", "onnx")
base: Any = require_extra("onnx.backend.base", "onnx")
Backend: Any = base.Backend
BackendRep: Any = base.BackendRep

DOMAINS = {
    "ai.onnx": onnx_nodes.NODES | onnx_losses.NODES,
    "ai.onnx.preview.training": onnx_optimizers.NODES,
}
"""What runs here: by domain and operator, the function that plays it."""

__all__ = [
    "MinibnBackend",
    "Prepared",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]


class Prepared(BackendRep):
    """A model that is ready to run.

    Parameters
    ----------
    model : onnx.ModelProto
        Checked.
    """

    def __init__(self, model):
        self._versions = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
        self._nodes, graph = list(model.graph.node), model.graph
        for node in self._nodes:
            _check_known(node)
        for value in graph.input:
            if not value.type.HasField("tensor_type"):
                raise ConversionError(f"input {value.name!r} is no tensor; minibn computes with arrays only")
        self._constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._inputs = [value.name for value in graph.input]
        self._outputs = [value.name for value in graph.output]

    def run(self, inputs, **kwargs):
        """Compute the outputs.

        Parameters
        ----------
        inputs : sequence of ndarray, or dict of str to ndarray
            In the order of the graph's inputs, those with an initializer perhaps left out; or by name.

        Returns
        -------
        named tuple of ndarray
            Also indexed by name: ``outputs["y"]``.

        Raises
        ------
        ArgumentError
            When an input is missing or there are too many.
        ConversionError, DtypeError, ShapeError
            When a node asks for what minibn does not have.
        """
        values = self._constants | self._named(inputs) | {"": None}
        for node in self._nodes:
            values.update(zip(node.output, self._play(node, values), strict=False))
        return _outputs(self._outputs, [values[name] for name in self._outputs])

    def _named(self, inputs):
        if not isinstance(inputs, Mapping):
            inputs = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
            needed = [name for name in self._inputs if name not in self._constants]
            names = needed if len(inputs) == len(needed) else self._inputs
            if len(inputs) != len(names):
                raise ArgumentError(
                    f"inputs must be {len(needed)} arrays, {', '.join(needed)}, got {len(inputs)}; "
                    "pass them in that order, or a dict"
                )
            inputs = dict(zip(names, inputs, strict=True))
        for name in self._inputs:
            if name not in inputs and name not in self._constants:
                raise ArgumentError(f"inputs must hold {name!r}, got {sorted(inputs)}; add it")
        return {name: np.asarray(value) for name, value in inputs.items()}

    def _play(self, node, values):
        version = self._versions.get(_domain(node), 1)
        return _play(node, [values[name] for name in node.input], version)


class MinibnBackend(Backend):
    """The operators of small networks: dense layers, batch norm, activations, losses, optimizers; on the CPU.

    Examples
    --------
    >>> from minibn.interop.onnx_backend import MinibnBackend
    >>> MinibnBackend.supports_device("CPU"), MinibnBackend.supports_device("CUDA")
    (True, False)
    """

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        """Say whether every node of a model is of a kind that runs here; one of its settings may still not."""
        return cls.supports_device(device) and all(map(_player, model.graph.node))

    @classmethod
    def supports_device(cls, device):
        """Say whether a device is the CPU."""
        return device.split(":")[0] == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        """Check a model and return a :class:`Prepared`.

        Parameters
        ----------
        model : onnx.ModelProto
        device : str
            ``"CPU"``.

        Raises
        ------
        ConversionError
            Naming the node that has no counterpart.
        ArgumentError
            For another device.
        onnx.checker.ValidationError
            When the model is not valid.
        """
        cls._check_device(device)
        super().prepare(model, device, **kwargs)
        return Prepared(model)

    @classmethod
    def run_node(cls, node, inputs, device="CPU", outputs_info=None, **kwargs):
        """Compute the outputs of one node, of the newest opset or of ``opset_version``; as :meth:`Prepared.run`."""
        cls._check_device(device)
        super().run_node(node, inputs, device, outputs_info, **kwargs)
        _check_known(node)
        newest = onnx.defs.onnx_opset_version() if _domain(node) == "ai.onnx" else 1
        arrays = [None if value is None else np.asarray(value) for value in inputs]
        found = _play(node, arrays, kwargs.get("opset_version", newest))
        return _outputs(node.output, found[: len(node.output)])

    @classmethod
    def _check_device(cls, device):
        if not cls.supports_device(device):
            raise ArgumentError(f"device must be 'CPU', got {device!r}; minibn runs ONNX models on the CPU")


def _domain(node):
    return node.domain or "ai.onnx"


def _player(node):
    """Return the function that plays a node, or None."""
    return DOMAINS.get(_domain(node), {}).get(node.op_type)


def _place(node):
    return f"{node.name or ', '.join(node.output)} ({node.op_type})"


def _check_known(node):
    if _player(node) is None:
        known = ", ".join(name for names in DOMAINS.values() for name in sorted(names))
        raise ConversionError(f"{_place(node)}: minibn has no such operator; known are {known}")


def _play(node, inputs, version):
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    options = {name: _plain(value) for name, value in options.items()}
    call = onnx_nodes.Call(_place(node), inputs, options, len(node.output), version)
    return _player(node)(call)


def _plain(value):
    """Return an attribute as Python or NumPy has it."""
    if isinstance(value, bytes):
        return value.decode()
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _outputs(names, values):
    return base.namedtupledict("Outputs", list(names))(*values)


is_compatible = MinibnBackend.is_compatible
prepare = MinibnBackend.prepare
run_model = MinibnBackend.run_model
run_node = MinibnBackend.run_node
supports_device = MinibnBackend.supports_device
