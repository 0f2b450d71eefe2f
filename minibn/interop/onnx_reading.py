"""From ONNX: a chain of the nodes that small networks are made of."""

from pathlib import Path

import numpy as np

from minibn.errors import CheckpointError, ConversionError, require_extra
from minibn.interop import parts

_FLOATS = (1, 11)  # onnx.TensorProto.FLOAT and DOUBLE
OLDEST_OPSET = 9  # before it, BatchNormalization and Gemm had other attributes


def from_onnx(path, *, report=print):
    """Build a network with the layers, values and conventions of an ONNX file.

    Parameters
    ----------
    path : path or onnx.ModelProto
        A file, or the model read from one, whose graph is a chain of Gemm, MatMul and Add, BatchNormalization, Relu,
        Sigmoid, Tanh, Identity, Cast, Flatten, Dropout, and a final Softmax. Arithmetic with constants behind a dense
        layer, as which Keras writes a batch norm, is taken into that layer.
    report : callable or None
        Called with one line about each node: what it became, and what was converted. None for silence.

    Returns
    -------
    minibn.nn.Sequential
        In evaluation mode. Batch norms keep the *biased* running variance, as the standard has it.

    Raises
    ------
    ConversionError
        Naming the node that has no counterpart.
    CheckpointError
        When the file is missing, damaged or no ONNX file. Reading runs no code from it.
    MissingExtraError
        Without the onnx package.
    """
    onnx = require_extra("onnx", "onnx")
    model = (
        _checked(onnx, path, "the model") if isinstance(path, onnx.ModelProto) else _load(onnx, Path(path))
    )
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if version < OLDEST_OPSET:
        raise ConversionError(f"opset {version} is too old; export with opset 17, at least {OLDEST_OPSET}")
    return parts.assemble(_Reading(onnx, model.graph).parts(), report)


def _load(onnx, path):
    if not path.is_file():
        raise CheckpointError(f"no ONNX file at {path}; pass the path of one")
    return _checked(onnx, path, path)


def _checked(onnx, source, name):
    """Return a valid model, read from its file where it is in one."""
    try:
        model = source if isinstance(source, onnx.ModelProto) else onnx.load(source)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf, checker and numpy each have their own for a damaged file
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{name} is damaged or no ONNX file ({first}); use an intact one") from error
    return model


class _Reading:
    """One graph, followed from its input to its output."""

    def __init__(self, onnx, graph):
        self.onnx, self.graph = onnx, graph
        self.constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.found, self.axes = [], 2

    def parts(self):
        nodes = [node for node in self.graph.node if not self._constant(node)]
        inputs = [value.name for value in self.graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            outputs = [value.name for value in self.graph.output]
            raise ConversionError(f"the graph must have one input and one output, got {inputs} and {outputs}")
        current = inputs[0]
        given = next(value for value in self.graph.input if value.name == current)
        self.axes = len(given.type.tensor_type.shape.dim)  # a valid file names them
        for node in nodes:  # the standard sorts nodes so that each comes after those it needs
            current = self._follow(node, current)
        if current != self.graph.output[0].name:
            raise ConversionError(
                f"the graph is not a chain: its output is not that of the last node, {current!r}"
            )
        return self.found

    def _constant(self, node):
        """Keep the value of a node that is one, and say whether it was."""
        values = {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and "value" in values:
            self.constants[node.output[0]] = self.onnx.numpy_helper.to_array(values["value"])
        elif node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants[node.output[0]] = self.constants[node.input[0]]
        else:
            return False
        return True

    def _follow(self, node, current):
        """Add the part of a node and return the name of its output."""
        place = f"{node.name or node.output[0]} ({node.op_type})"
        reader = _READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if reader is None:
            raise parts.unknown(place)
        operands = list(node.input)
        if node.op_type in ("Add", "Mul") and operands[1] == current:
            operands.reverse()
        if operands[0] != current:
            raise ConversionError(f"the graph is not a chain: {place} does not follow on the node before it")
        values = [self._value(place, name) for name in operands[1:]]
        options = {a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute}
        reader(self.found, place, values, options)
        self.axes = 2 if node.op_type == "Flatten" else self.axes
        parts.check_axes(self.found[-1], self.axes)
        return node.output[0]

    def _value(self, place, name):
        if name and name not in self.constants:
            raise ConversionError(
                f"{place}: {name!r} is computed, and must be a constant; fold constants on export"
            )
        return _number_array(self.constants[name]) if name else None


def _number_array(array):
    return array if array.dtype in (np.float32, np.float64, np.bool_) else array.astype(np.float32)


def _gemm(found, place, values, options):
    weight, bias = values[0], values[1] if len(values) > 1 else None
    if options.get("transA"):
        raise parts.unknown(place, "transA multiplies by the transposed batch")
    transposed = bool(options.get("transB"))
    weight = (weight.T if transposed else weight) * weight.dtype.type(options.get("alpha", 1.0))
    if bias is not None:
        bias = _bias(place, bias, weight.shape[1]) * bias.dtype.type(options.get("beta", 1.0))
    layout = f"transposed to {weight.shape}" if transposed else f"{weight.shape} as it is"
    found.append(parts.dense(place, weight, bias, f"Dense; weight {layout}"))


def _bias(place, value, width):
    if value.size not in (1, width) or value.ndim > 1 and value.shape[-1] != value.size:
        raise parts.unknown(place, f"a bias of shape {value.shape} does not add one number to each column")
    return np.broadcast_to(value.reshape(-1), (width,))


def _matmul(found, place, values, options):
    if values[0].ndim != 2:
        raise parts.unknown(place, f"a product with shape {values[0].shape} is no dense layer")
    found.append(parts.dense(place, values[0], None, f"Dense; weight {values[0].shape} as it is"))


def _behind_dense(compute):
    """Return the reader of arithmetic with one number for each column: taken into the dense layer before it."""

    def read(found, place, values, options):
        last = next((n for n in reversed(range(len(found))) if found[n].make or found[n].only_last), None)
        if last is None or "weight" not in found[last].arrays:
            why = "arithmetic is known only behind a dense layer, with a number for each column"
            raise parts.unknown(place, why)
        before = found[last]
        weight = before.arrays["weight"]
        bias = before.arrays.get("bias", np.zeros(weight.shape[1], weight.dtype))
        arrays = compute(weight, bias, _bias(place, values[0], weight.shape[1]).astype(weight.dtype))
        found[last] = parts.dense(f"{before.place} + {place}", *arrays, before.note)

    return read


def _cast(found, place, values, options):
    if options["to"] not in _FLOATS:
        raise parts.unknown(place, "a cast to anything but float32 or float64 changes values")
    found.append(parts.nothing(place, "left out: a network here has one dtype"))


def _batch_norm(found, place, values, options):
    if options.get("training_mode"):
        raise parts.unknown(place, "it was exported in training mode; export the model in evaluation mode")
    gamma, beta, mean, var = values
    old, eps = (
        _decimal(options.get(name, default)) for name, default in (("momentum", 0.9), ("epsilon", 1e-5))
    )
    momentum = round(1.0 - old, 12)
    note = (
        f"BatchNorm; momentum {old:g} of the old value is {momentum:g} of the new, eps {eps:g}, "
        "running variance biased"
    )
    options = {"momentum": momentum, "eps": eps, "running_var": "biased"}
    found.append(parts.batch_norm(place, mean, var, gamma, beta, note, **options))


def _decimal(value):
    """Return the shortest decimal number that is this float32, in which ONNX keeps attributes: 1e-5, not 9.9999997e-6."""
    return float(str(np.float32(value)))


def _flatten(found, place, values, options):
    if options.get("axis", 1) != 1:
        raise parts.unknown(place, f"axis={options['axis']} does not give flat rows")
    found.append(parts.flatten(place))


def _dropout(found, place, values, options):
    if len(values) > 1 and values[1] is not None and values[1].any():
        raise parts.unknown(place, "it was exported in training mode; export the model in evaluation mode")
    found.append(parts.dropout(place))


def _softmax(found, place, values, options):
    if options.get("axis", -1) not in (1, -1):
        raise parts.unknown(place, f"axis={options['axis']} is not the axis of the classes")
    found.append(parts.softmax(place))


def _activation(name):
    return lambda found, place, values, options: found.append(parts.activation(place, name))


_READERS = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    # A bias behind a product; batch norms that were exported as arithmetic.
    "Add": _behind_dense(lambda weight, bias, value: (weight, bias + value)),
    "Sub": _behind_dense(lambda weight, bias, value: (weight, bias - value)),
    "Mul": _behind_dense(lambda weight, bias, value: (weight * value, bias * value)),
    "Div": _behind_dense(lambda weight, bias, value: (weight / value, bias / value)),
    "Cast": _cast,
    "BatchNormalization": _batch_norm,
    "Relu": _activation("relu"),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Identity": lambda found, place, values, options: found.append(parts.nothing(place)),
    "Flatten": _flatten,
    "Dropout": _dropout,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}
