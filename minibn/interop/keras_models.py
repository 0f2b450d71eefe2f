"""From Keras 3, on any of its backends."""

import numpy as np

from minibn.errors import ConversionError, DtypeError, require_extra
from minibn.interop import parts


def from_keras(model, *, report=print):
    """Build a network with the layers, values and conventions of a Keras one.

    Parameters
    ----------
    model : keras.Model
        Built; a Sequential, nested or not, or a functional chain of Dense, BatchNormalization, Activation, ReLU,
        Flatten, Dropout and a final Softmax. A layer's own ``activation`` becomes a layer here.
    report : callable or None
        Called with one line about each layer: what it became, and what was converted. None for silence.

    Returns
    -------
    minibn.nn.Sequential
        On memory of its own, in evaluation mode. Batch norms keep the *biased* running variance, as in Keras;
        one that is not trainable is frozen.

    Raises
    ------
    ConversionError
        Naming the layer that has no counterpart.
    DtypeError
        When the model is not one of Keras.
    MissingExtraError
        Without Keras.
    """
    keras = require_extra("keras", "keras")
    if not isinstance(model, keras.Model):
        raise DtypeError(f"model must be a keras.Model, got {type(model).__name__}; pass a Sequential")
    return parts.assemble(list(_read(keras, model)), report)


def _read(keras, model):
    """Yield the parts of a model, refusing layers with weights that are given more than rows."""
    layers = list(_walk(keras, model))
    axes = len(model.inputs[0].shape)
    for layer, place in layers:
        found = _parts(keras, layer, place)
        axes = 2 if isinstance(layer, keras.layers.Flatten) else axes
        parts.check_axes(found[0], axes)
        yield from found


def _walk(keras, model):
    """Yield the layers of a model with their places, those of nested ones in order."""
    if not model.built:
        raise ConversionError(f"{model.name} ({type(model).__name__}) is not built; call it on a batch first")
    for layer in _chain(keras, model):
        if isinstance(layer, keras.Model):
            yield from _walk(keras, layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer, f"{layer.name} ({type(layer).__name__})"


def _chain(keras, model):
    """Return the layers of a model, which must stand in a row."""
    if isinstance(model, keras.Sequential) and type(model).call is keras.Sequential.call:
        return model.layers
    place = f"{model.name} ({type(model).__name__})"
    if type(model).__name__ != "Functional":
        raise parts.unknown(place, "its call may do anything")
    try:
        in_a_row = all(b.input is a.output for a, b in zip(model.layers, model.layers[1:], strict=False))
    except (AttributeError, ValueError):  # a layer that is called twice has no single input
        in_a_row = False
    if not in_a_row or model.layers[-1].output is not model.outputs[0] or len(model.outputs) > 1:
        raise ConversionError(f"{place}: its layers do not stand in a row; only a chain can be converted")
    return model.layers


def _parts(keras, layer, place):
    reader = {
        keras.layers.Dense: _dense,
        keras.layers.BatchNormalization: _batch_norm,
        keras.layers.Activation: lambda place, layer: _activation(place, layer.get_config()["activation"]),
        keras.layers.ReLU: _relu,
        keras.layers.Flatten: lambda place, layer: [parts.flatten(place)],
        keras.layers.Dropout: lambda place, layer: [parts.dropout(place)],
        keras.layers.Softmax: _softmax,
    }.get(type(layer))
    if reader is None:
        raise parts.unknown(place)
    _refuse_other_arithmetic(place, layer)
    found = reader(place, layer)
    found[0].note += "".join(f"; {what}" for what in _lost(layer))
    return found


def _refuse_other_arithmetic(place, layer):
    if getattr(layer, "quantization_mode", None):
        raise parts.unknown(place, f"its values are quantized to {layer.quantization_mode}")
    if any(node.arguments.kwargs.get("training") for node in layer._inbound_nodes):
        raise parts.unknown(place, "it was called with training=True, which holds in evaluation too")


def _lost(layer):
    """Yield what a layer has in Keras and will not have here."""
    if layer.compute_dtype != layer.variable_dtype:
        yield f"computed in {layer.compute_dtype} there, in the dtype of its values here"
    kept = [variable for variable in layer.weights if variable.regularizer or variable.constraint]
    if kept or layer.activity_regularizer:
        yield "its regularizers and constraints are not kept"
    if (
        layer.weights
        and not layer.trainable
        and "moving_mean" not in {weight.name for weight in layer.weights}
    ):
        yield "trainable=False is not kept: it would be trained here"


def _array(variable):
    array = np.array(require_extra("keras", "keras").ops.convert_to_numpy(variable))
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _dense(place, layer):
    weight = _array(layer.kernel)
    bias = None if layer.bias is None else _array(layer.bias)
    part = parts.dense(place, weight, bias, f"Dense; weight {weight.shape} as it is")
    return [part, *_activation(f"{place} activation", layer.get_config()["activation"])]


def _activation(place, name):
    if name == "linear":
        return []
    if name in ("softmax", "log_softmax"):
        return [parts.softmax(place)]
    if not isinstance(name, str) or name not in parts.ACTIVATIONS:
        raise parts.unknown(place, f"minibn has no activation {name!r}")
    return [parts.activation(place, name)]


def _relu(place, layer):
    settings = layer.get_config()
    if settings["max_value"] is not None or settings["negative_slope"] or settings["threshold"]:
        raise parts.unknown(place, "minibn has no ReLU with max_value, negative_slope or threshold")
    return [parts.activation(place, "relu")]


def _softmax(place, layer):
    if layer.axis not in (1, -1):
        raise parts.unknown(place, f"axis={layer.axis} is not the axis of the classes")
    return [parts.softmax(place)]


def _batch_norm(place, layer):
    if getattr(layer, "renorm", False):
        raise parts.unknown(place, "minibn has no batch renormalization (renorm=True)")
    gamma = _array(layer.gamma) if layer.scale else None
    beta = _array(layer.beta) if layer.center else None
    momentum, eps = round(1.0 - layer.momentum, 12), layer.epsilon
    note = (
        f"BatchNorm; momentum {layer.momentum:g} of the old value is {momentum:g} of the new, eps {eps:g}, "
        "running variance biased"
    )
    note += "" if layer.trainable else "; not trainable, so frozen"
    return [
        parts.batch_norm(
            place, _array(layer.moving_mean), _array(layer.moving_variance), gamma, beta, note,
            momentum=momentum, eps=eps, running_var="biased", frozen=not layer.trainable,
        )
    ]  # fmt: skip
