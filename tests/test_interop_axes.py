"""Networks whose input is more than rows: their layers act on the last axis there, and nothing here does."""

import numpy as np
import pytest
from keras_peer import keras_or_skip

from minibn.errors import ConversionError
from minibn.interop import from_keras, from_onnx

X = np.random.default_rng(0).normal(size=(7, 5, 6)).astype(np.float32)


def sequential(shape, *layers):
    return keras_or_skip().Sequential([keras_or_skip().Input(shape), *layers])


def functional():
    given = keras_or_skip().Input((5, 6))
    return keras_or_skip().Model(given, keras_or_skip().layers.Dense(2, name="odd")(given))


def called_on_a_batch():
    model = keras_or_skip().Sequential([keras_or_skip().layers.Dense(2, name="odd")])
    model(X)
    return model


MORE = {
    "dense": lambda layers: sequential((5, 6), layers.Dense(2, name="odd")),
    "batch norm": lambda layers: sequential((5, 6), layers.BatchNormalization(name="odd")),
    "behind an activation": lambda layers: sequential((5, 6), layers.ReLU(), layers.Dense(2, name="odd")),
    "flat too late": lambda layers: sequential(
        (1, 6), layers.Dense(3, name="odd"), layers.Flatten(), layers.Dense(2)
    ),
    "functional": lambda layers: functional(),
    "called": lambda layers: called_on_a_batch(),
}


@pytest.mark.parametrize("name", MORE)
def test_a_layer_on_the_last_of_three_axes_is_refused(name):
    model = MORE[name](keras_or_skip().layers)
    with pytest.raises(
        ConversionError, match=r"^odd .*: its input has 3 axes, .* rows \(N, 6\); give"
    ) as caught:
        from_keras(model, report=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("before", [["Flatten"], ["ReLU", "Flatten"]])
def test_what_is_flat_in_time_computes_the_same(before):
    layers = keras_or_skip().layers
    model = sequential((5, 6), *(getattr(layers, name)() for name in before), layers.Dense(2))
    found = from_keras(model, report=None).logits(X.reshape(7, 30))
    np.testing.assert_allclose(found, model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def test_a_layer_that_another_model_gives_three_axes_is_not_refused():
    layer = keras_or_skip().layers.Dense(2)
    model = sequential((6,), layer)
    sequential((5, 6), layer)
    assert from_keras(model, report=None).in_features == 6


def exported(shape):
    """Return a dense layer and a ReLU as ONNX, with an input of another shape than rows."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = onnx.numpy_helper.from_array(np.ones((6, 2), np.float32), "weight")
    nodes = [
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("MatMul", ["h", "weight"], ["y"], name="odd"),
    ]
    ends = [
        helper.make_tensor_value_info(name, kind, given)
        for name, given in (("x", shape), ("y", [*shape[:-1], 2]))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("shape", [["N", 5, 6], [7, 1, 5, 6]])
def test_onnx_is_refused_too(shape):
    with pytest.raises(ConversionError, match=rf"^odd \(MatMul\): its input has {len(shape)} axes"):
        from_onnx(exported(shape), report=None)


def test_onnx_of_rows_is_read():
    assert from_onnx(exported(["N", 6]), report=None).in_features == 6
