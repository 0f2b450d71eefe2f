"""Running statistics that nothing can be computed with, in networks of every peer: refused with layer and column."""

import numpy as np
import pytest
from keras_peer import keras_or_skip

from minibn import nn
from minibn.errors import ConversionError
from minibn.interop import from_keras, from_onnx, from_torch, to_keras, to_onnx, to_torch


def network():
    return nn.mlp([4, 3, 2], rng=0).eval()


def torch_module(name, value):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    peer = to_torch(network(), report=None)
    getattr(peer[1], name)[2] = value
    return peer


def module(name, value, folder):
    return from_torch(torch_module(name, value), report=None)


def state(name, value, folder):
    return from_torch(torch_module(name, value).state_dict(), report=None)


def keras(name, value, folder):
    keras_or_skip()
    peer = to_keras(network(), report=None)
    weights = peer.layers[1].get_weights()
    weights[2 if name == "running_mean" else 3][2] = value
    peer.layers[1].set_weights(weights)
    return from_keras(peer, report=None)


def onnx(name, value, folder):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    to_onnx(network(), folder / "model.onnx")
    model = onnx.load(folder / "model.onnx")
    (place,) = (n for n, tensor in enumerate(model.graph.initializer) if tensor.name == f"1.{name}")
    values = onnx.numpy_helper.to_array(model.graph.initializer[place]).copy()
    values[2] = value
    model.graph.initializer[place].CopyFrom(onnx.numpy_helper.from_array(values, f"1.{name}"))
    return from_onnx(model, report=None)


PEERS = {"module": module, "state": state, "keras": keras, "onnx": onnx}


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("peer", PEERS)
def test_a_variance_is_finite_and_not_negative(peer, value, tmp_path):
    message = (
        rf"\(BatchNorm.*\): running_var must be finite and not negative, got {value:g} in column 2; take"
    )
    with pytest.raises(ConversionError, match=message) as caught:
        PEERS[peer]("running_var", value, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("peer", PEERS)
def test_a_mean_is_finite(peer, value, tmp_path):
    with pytest.raises(ConversionError, match=f"running_mean must be finite, got {value:g} in column 2"):
        PEERS[peer]("running_mean", value, tmp_path)


@pytest.mark.parametrize("peer", PEERS)
def test_0_is_a_variance(peer, tmp_path):
    assert PEERS[peer]("running_var", 0.0, tmp_path).layers[1].running_var[2] == 0
