"""Models from Keras and back, judged by Keras itself."""

import inspect

import numpy as np
import pytest
from keras_peer import keras_or_skip

from minibn import nn
from minibn.errors import ConversionError, DtypeError
from minibn.interop import from_keras, from_onnx, to_keras
from minibn.train import SGD
from minibn.train.step import step

keras = keras_or_skip()
DTYPES = ["float32", "float64"]
# Keras multiplies float64 as float32, except on TensorFlow: closer than 1e-6 it cannot be met here.
TOLERANCE = {"float32": 1e-5, "float64": 1e-6}
CLASSES, LAYERS = keras.losses.SparseCategoricalCrossentropy(from_logits=True), keras.layers


def rows(n=40, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, (n, 6))


def network(dtype="float64", last=None, **options):
    keras.utils.set_random_seed(1)
    return keras.Sequential([
        keras.Input((6,), dtype=dtype), LAYERS.Dense(5, use_bias=False, dtype=dtype),
        LAYERS.BatchNormalization(dtype=dtype, **options), LAYERS.Activation("relu", dtype=dtype),
        LAYERS.Dropout(0.0, dtype=dtype), LAYERS.Dense(3, activation=last, dtype=dtype),
    ])  # fmt: skip


def functional(dtype, **options):
    x = keras.Input((6,), dtype=dtype)
    hidden = LAYERS.ReLU(dtype=dtype)(LAYERS.Dense(5, activation="tanh", dtype=dtype)(x))
    normal = LAYERS.BatchNormalization(dtype=dtype, **options)(hidden)
    return keras.Model(x, LAYERS.Dense(2, activation="sigmoid", dtype=dtype)(normal))


def moved(model, dtype):
    """Give the running statistics values of their own."""
    for seed in range(4):
        model(rows(seed=seed).astype(dtype), training=True)
    return model


def outputs(model, x, dtype):
    return keras.ops.convert_to_numpy(model(x.astype(dtype), training=False))


def apart(left, right):
    return np.abs(left - right).max() / np.abs(right).max()


MODELS = {
    "sequential": lambda d: network(d),
    "functional": lambda d: functional(d),
    "gamma alone": lambda d: functional(d, center=False),
    "beta alone": lambda d: functional(d, scale=False, epsilon=0.1),
    "flatten": lambda d: keras.Sequential([LAYERS.Flatten(dtype=d), network(d)]),
    "nested": lambda d: keras.Sequential([network(d), LAYERS.Activation("tanh", dtype=d)]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_outputs_agree(name, dtype):
    model, x = moved(MODELS[name](dtype), dtype), rows(seed=9)
    ours = from_keras(model, report=None)
    assert ours.dtype == dtype
    assert not ours.training
    assert apart(ours.logits(x), outputs(model, x, dtype)) < TOLERANCE[dtype]


def test_a_final_softmax_becomes_predict_proba():
    model, x = moved(network(last="softmax"), "float64"), rows(seed=9)
    assert apart(from_keras(model, report=None).predict_proba(x), outputs(model, x, "float64")) < 1e-6


@pytest.mark.parametrize("momentum", [0.99, 0.6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_running_statistics_agree_after_fifty_more_batches_of_training(dtype, momentum):
    model = moved(network(dtype, momentum=momentum), dtype)
    ours = from_keras(model, report=None)
    model.compile(keras.optimizers.SGD(0.01), CLASSES)
    optimizer, loss = SGD(0.01), nn.SoftmaxCrossEntropy()
    for seed in range(50):
        x, y = rows(16, seed=100 + seed), np.arange(16) % 3
        step(ours, loss, optimizer, x, y)
        model.train_on_batch(x.astype(dtype), y)
    peer = model.layers[1]
    assert apart(ours.layers[1].running_mean, keras.ops.convert_to_numpy(peer.moving_mean)) < 1e-6
    assert apart(ours.layers[1].running_var, keras.ops.convert_to_numpy(peer.moving_variance)) < 1e-6


@pytest.mark.filterwarnings("ignore")
def test_what_keras_exports_to_onnx(tmp_path):
    """Its batch norms are arithmetic there, which the dense layers before them take in."""
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    if keras.backend.backend() != "torch" or tuple(map(int, keras.__version__.split(".")[:2])) < (3, 8):
        pytest.skip("this Keras, or its backend, exports no ONNX files by itself")
    model, x = moved(network("float32"), "float32"), rows(seed=9).astype(np.float32)
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    ours = from_onnx(tmp_path / "m.onnx", report=None)
    assert [type(layer) for layer in ours.layers] == [nn.Dense, nn.ReLU, nn.Dense]
    assert apart(ours.logits(x), outputs(model, x, "float32")) < 1e-5


def test_notes_and_a_frozen_layer(capsys):
    model = network(last="softmax")
    model.layers[1].trainable = False
    ours = from_keras(model)
    printed = capsys.readouterr().out.splitlines()
    assert "momentum 0.99 of the old value is 0.01 of the new" in printed[1]
    assert "running variance biased; not trainable, so frozen" in printed[1]
    assert "logits" in printed[-1]
    assert len(printed) == 6
    assert ours.layers[1].frozen
    assert ours.layers[1].momentum == 0.01
    assert ours.layers[1].variance_kind == "biased"


def test_mixed_precision_is_said():
    lines = []
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = keras.Sequential([keras.Input((6,)), LAYERS.Dense(3, dtype=policy)])
    assert from_keras(model, report=lines.append).dtype == np.float32
    assert "computed in bfloat16 there" in lines[0]


def branched():
    x = keras.Input((6,))
    return keras.Model(x, LAYERS.Add()([LAYERS.Dense(3)(x), LAYERS.Dense(3)(x)]))


def twice():
    x, layer = keras.Input((6,)), LAYERS.Dense(6)
    return keras.Model(x, layer(layer(x)))


def inputs(*layers):
    return lambda: keras.Sequential([keras.Input((6,)), *(layer() for layer in layers)])


def renormalized():
    if "renorm" not in inspect.signature(LAYERS.BatchNormalization).parameters:
        pytest.skip("this version of Keras has no renorm")
    return functional("float32", renorm=True)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.built = True


BAD = [
    (inputs(lambda: LAYERS.LayerNormalization(name="odd")), r"odd \(LayerNormalization\)"),
    (inputs(lambda: LAYERS.Dense(2, activation="gelu", name="odd")), "odd .* no activation 'gelu'"),
    (inputs(lambda: LAYERS.ReLU(max_value=6, name="odd")), "odd .* max_value"),
    (inputs(lambda: LAYERS.Dense(2, activation="softmax"), LAYERS.ReLU), "softmax before"),
    (renormalized, "renorm"),
    (branched, "do not stand in a row"), (twice, "do not stand in a row"),
    (Subclassed, "Subclassed.*anything"), (lambda: keras.Sequential([LAYERS.Dense(2)]), "not built"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "message"), BAD)
def test_what_has_no_counterpart_is_named(model, message):
    with pytest.raises(ConversionError, match=message) as caught:
        from_keras(model(), report=None)
    assert "\n" not in str(caught.value)


def test_something_else():
    with pytest.raises(DtypeError, match="keras.Model, got Sequential"):
        from_keras(nn.mlp([2, 2]))


# the way back


def mixed(dtype, **options):
    """Return every kind of layer, batch norms with statistics of their own."""
    model = nn.Sequential(
        nn.BatchNorm(6, 0.3, 0.01, dtype=dtype), nn.Dense(6, 5, rng=3, dtype=dtype), nn.Sigmoid(),
        nn.BatchNorm(5, affine=False, dtype=dtype, **options), nn.Tanh(), nn.Dense(5, 4, bias=False, rng=4, dtype=dtype),
        nn.BatchNorm(4, dtype=dtype, **options), nn.ReLU(), nn.Dense(4, 3, rng=5, dtype=dtype),
    )  # fmt: skip
    for parameter in model.parameters().values():
        parameter.data += np.linspace(-0.1, 0.1, parameter.data.size).reshape(parameter.shape)
    for seed in range(4):
        model(rows(seed=seed))
    return model.eval()


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_went_out_computes_the_same_there_and_after_its_return(dtype, tmp_path):
    model, x = mixed(dtype), rows(seed=9)
    peer = to_keras(model, report=None)
    assert apart(outputs(peer, x, dtype), model.logits(x)) < TOLERANCE[dtype]
    assert {weight.dtype for weight in peer.weights} == {dtype}
    peer.save(tmp_path / "m.keras")
    read = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(outputs(read, x, dtype), outputs(peer, x, dtype))
    again = from_keras(read, report=None)
    assert again.dtype == dtype
    assert [type(a) for a in again.layers] == [type(b) for b in model.layers]
    assert [(n.momentum, n.eps) for n in norms(again)] == [(n.momentum, n.eps) for n in norms(model)]
    assert apart(again.logits(x), model.logits(x)) < 1e-6


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, nn.BatchNorm)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_train_on_alike(dtype):
    """Biased variance on both sides: fifty batches there and here leave the same statistics."""
    model = nn.Sequential(
        nn.Dense(6, 5, rng=1, dtype=dtype), nn.BatchNorm(5, 0.3, running_var="biased", dtype=dtype), nn.ReLU(),
        nn.Dense(5, 3, rng=2, dtype=dtype),
    )  # fmt: skip
    peer, optimizer, loss = to_keras(model, report=None), SGD(0.01), nn.SoftmaxCrossEntropy()
    peer.compile(keras.optimizers.SGD(0.01), CLASSES)
    for seed in range(50):
        x, y = rows(16, seed=100 + seed), np.arange(16) % 3
        step(model, loss, optimizer, x, y)
        peer.train_on_batch(x.astype(dtype), y)
    ours, theirs = model.layers[1], peer.layers[1]
    assert apart(ours.running_mean, keras.ops.convert_to_numpy(theirs.moving_mean)) < 1e-6
    assert apart(ours.running_var, keras.ops.convert_to_numpy(theirs.moving_variance)) < 1e-6


def test_a_frozen_batch_norm_stays_as_it_is_there():
    model = mixed("float32")
    model.layers[6].freeze()
    peer = to_keras(model, report=None)
    before = [keras.ops.convert_to_numpy(weight).copy() for weight in peer.layers[6].weights]
    peer.compile(keras.optimizers.SGD(0.1), CLASSES)
    peer.train_on_batch(rows().astype("float32"), np.arange(40) % 3)
    for weight, value in zip(peer.layers[6].weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)
    assert from_keras(peer, report=None).layers[6].frozen


def test_memory_is_its_own(monkeypatch):
    """Keras on JAX takes an array as it lies in memory, and training there writes into it."""
    model, handed, keep = mixed("float32"), [], LAYERS.Layer.set_weights
    monkeypatch.setattr(LAYERS.Layer, "set_weights", lambda self, w: (handed.extend(w), keep(self, w))[1])
    peer, before = to_keras(model, report=None), model.state_dict()
    own = [tensor.data for tensor in model.parameters().values()] + list(model.buffers().values())
    assert len(handed) == 15
    assert not any(np.shares_memory(array, other) for array in handed for other in own)
    peer.compile(keras.optimizers.SGD(0.1), CLASSES)
    peer.train_on_batch(rows().astype("float32"), np.arange(40) % 3)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_keras_treats_otherwise_is_said(capsys):
    frozen = nn.BatchNorm(5, None, running_var="biased").freeze()
    to_keras(nn.Sequential(nn.Dense(6, 5), nn.BatchNorm(5), frozen))
    assert capsys.readouterr().out.splitlines() == [
        "1 (BatchNorm): momentum 0.1 of the new value is 0.9 of the old; "
        "further training in Keras enters the biased variance, not the unbiased",
        "2 (BatchNorm): momentum None averages over all batches here; 0.9 of the old value there; "
        "frozen, so not trainable",
    ]


def test_what_cannot_go_out():
    with pytest.raises(DtypeError, match="minibn.nn.Sequential, got Dense"):
        to_keras(nn.Dense(2, 2))
    with pytest.raises(ConversionError, match="no number of columns"):
        to_keras(nn.Sequential(nn.ReLU()))
