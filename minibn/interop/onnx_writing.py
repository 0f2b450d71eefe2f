"""To ONNX, checked before the file is written."""

import numpy as np

from minibn.errors import ConversionError, MissingExtraError, require_extra
from minibn.interop.folding import fold_batch_norm, in_evaluation
from minibn.nn import BatchNorm, Dense
from minibn.train.files import write_atomically

OPSET, IR_VERSION = 17, 8  # the intermediate representation that came with this opset: older runtimes read it
TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-6}
NODES = {"ReLU": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh"}


def to_onnx(model, path, fold=False):
    """Write a network as an ONNX file, once the standard's own tools compute the same from it.

    Parameters
    ----------
    model : minibn.nn.Sequential
        In evaluation mode; unchanged.
    path : path
        File to write, atomically.
    fold : bool
        Fold batch norms into the dense layers beside them; else each is a BatchNormalization node.

    Returns
    -------
    float
        Largest difference between this network and the file, of the largest output: over a batch of drawn rows,
        a batch of one among them, by the reference evaluator of the onnx package and, where installed, ONNX Runtime.

    Raises
    ------
    ArgumentError
        When the model is in training mode.
    ConversionError
        When the file would not compute the same to 1e-5 (float32) or 1e-6 (float64). Nothing is written then.
    MissingExtraError
        Without the onnx package.
    WriteError
        When the folder is missing, or cannot be written to.

    Notes
    -----
    Opset 17; input ``x`` (N, C) and output ``logits`` (N, K) with N free. ONNX's momentum weighs the *old* value, and
    a BatchNormalization node holds its statistics in the model's dtype, its eps in float32.
    """
    onnx = require_extra("onnx", "onnx")
    in_evaluation(model, "exported")
    if not any(isinstance(layer, Dense) for layer in model.layers):
        raise ConversionError("the network has no dense layer, and so no number of inputs; add a Dense")
    written = fold_batch_norm(model) if fold else model
    proto = _model(onnx, written)
    onnx.checker.check_model(proto, full_check=True)
    data = proto.SerializeToString()
    difference = _difference(onnx, data, model)
    if not difference <= TOLERANCE[model.dtype]:
        raise ConversionError(
            f"the ONNX file would differ from the network by {difference:.1e} of the largest output; "
            f"check that its values are finite, {'use fold=False' if fold else 'or try fold=True'}"
        )
    write_atomically(path, data)
    return difference


def _model(onnx, model):
    nodes, constants = [], []
    for position, layer in enumerate(model.layers):
        source = f"h{position}" if position else "x"
        target = f"h{position + 1}" if position + 1 < len(model.layers) else "logits"
        nodes.append(_node(onnx, layer, position, source, target, constants, model.dtype))
    kind = onnx.helper.np_dtype_to_tensor_dtype(model.dtype)
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, ["N", width])
        for name, width in (("x", model.in_features), ("logits", model.out_features))
    ]
    graph = onnx.helper.make_graph(nodes, "minibn", ends[:1], ends[1:], constants)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="minibn")


def _node(onnx, layer, position, source, target, constants, dtype):
    values, attributes = _content(layer)
    names = [f"{position}.{name}" for name in values]
    for name, value in zip(names, values.values(), strict=True):
        constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
    kind = type(layer).__name__
    return onnx.helper.make_node(
        {"Dense": "Gemm", "BatchNorm": "BatchNormalization", **NODES}[kind],
        [source, *names], [target], name=f"{position}.{kind}", **attributes,
    )  # fmt: skip


def _content(layer):
    """Return the constants of a node, in its order, and its attributes."""
    if isinstance(layer, Dense):
        return {name: tensor.data for name, tensor in layer.parameters().items()}, {}
    if not isinstance(layer, BatchNorm):
        return {}, {}
    values = {
        "weight": layer.gamma.data,
        "bias": layer.beta.data,
        "running_mean": layer.running_mean,
        "running_var": layer.running_var,
    }
    momentum = 0.9 if layer.momentum is None else 1.0 - layer.momentum
    return values, {"epsilon": layer.eps, "momentum": momentum}


def _difference(onnx, data, model):
    """Return the largest difference of the file's outputs from the network's, over the network's largest."""
    rows = np.random.default_rng(0).standard_normal((17, model.in_features)).astype(model.dtype)
    return max(
        _relative(np.asarray(evaluate(batch)), model.logits(batch))
        for evaluate in _evaluators(onnx, data)
        for batch in (rows, rows[:1])
    )


def _relative(found, wanted):
    if found.shape != wanted.shape or found.dtype != wanted.dtype or not np.isfinite(wanted).all():
        return np.inf
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), np.finfo(wanted.dtype).tiny))


def _evaluators(onnx, data):
    reference = require_extra("onnx.reference", "onnx").ReferenceEvaluator(onnx.load_from_string(data))
    yield lambda batch: reference.run(None, {"x": batch})[0]
    try:
        runtime = require_extra("onnxruntime", "onnx")
    except MissingExtraError:
        return
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    yield lambda batch: session.run(None, {"x": batch})[0]
