"""To Keras 3, on any of its backends."""

from minibn.errors import ConversionError, require_extra
from minibn.interop.network import network
from minibn.nn import BatchNorm, Dense

OLD = 0.9  # ONNX's default weight of the old value, for a batch norm that averages over all batches


def to_keras(model, *, report=print):
    """Build the ``keras.Sequential`` that computes the same, on memory of its own.

    Parameters
    ----------
    model : minibn.nn.Sequential
    report : callable or None
        Called with one line about each batch norm: what was converted, and what Keras treats otherwise. None for
        silence.

    Returns
    -------
    keras.Sequential
        Built, of the model's dtype, not compiled; its output is the logits. A frozen batch norm is not trainable.

    Raises
    ------
    ConversionError
        When no layer tells the number of columns.
    DtypeError
        When the model is not a Sequential of minibn.
    MissingExtraError
        Without Keras.
    """
    keras = require_extra("keras", "keras")
    dtype = network(model).dtype.name
    peers = [_layer(keras, layer, dtype) for layer in model.layers]
    peer = keras.Sequential([keras.Input((_columns(model),), dtype=dtype), *peers])
    for own, layer in zip(model.layers, peers, strict=True):
        layer.set_weights(_weights(own))
    for line in [*_rounded(keras, peer, dtype), *_notes(model)] if report else ():
        report(line)
    return peer


def _rounded(keras, peer, dtype):
    found = {keras.ops.convert_to_numpy(weight).dtype.name for weight in peer.weights} - {dtype}
    if found:
        yield f"values of {dtype} are {', '.join(found)} there; JAX keeps float64 with JAX_ENABLE_X64=1"


def _columns(model):
    for layer in model.layers:
        if isinstance(layer, Dense):
            return layer.weight.shape[0]
        if isinstance(layer, BatchNorm):
            return layer.running_mean.size
    raise ConversionError(
        "the network has no dense layer and no batch norm, and so no number of columns; add one"
    )


def _layer(keras, layer, dtype):
    if isinstance(layer, Dense):
        return keras.layers.Dense(layer.weight.shape[1], use_bias=layer.bias is not None, dtype=dtype)
    if not isinstance(layer, BatchNorm):
        return keras.layers.Activation(type(layer).__name__.lower(), dtype=dtype)
    return keras.layers.BatchNormalization(
        momentum=_old(layer), epsilon=layer.eps, center=layer.affine, scale=layer.affine,
        trainable=not layer.frozen, dtype=dtype,
    )  # fmt: skip


def _old(norm):
    """Return the weight of the old value, in which Keras counts."""
    return OLD if norm.momentum is None else round(1.0 - norm.momentum, 12)


def _weights(layer):
    """Return copies of the values of a layer in the order in which Keras keeps them."""
    weights = [tensor.data for tensor in layer.parameters().values()]
    weights += [layer.running_mean, layer.running_var] if isinstance(layer, BatchNorm) else []
    # JAX takes an array as it lies in memory, and Keras hands that memory on to be written into.
    return [weight.copy() for weight in weights]


def _notes(model):
    for position, layer in enumerate(model.layers):
        if isinstance(layer, BatchNorm):
            yield f"{position} (BatchNorm): {'; '.join(_converted(layer))}"


def _converted(norm):
    if norm.momentum is None:
        yield f"momentum None averages over all batches here; {OLD:g} of the old value there"
    else:
        yield f"momentum {norm.momentum:g} of the new value is {_old(norm):g} of the old"
    if norm.variance_kind == "unbiased":
        yield "further training in Keras enters the biased variance, not the unbiased"
    if norm.frozen:
        yield "frozen, so not trainable"
