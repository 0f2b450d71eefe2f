"""Models from Keras, judged by Keras itself."""

import inspect
import os

import numpy as np
import pytest

from minibn import nn
from minibn.errors import ConversionError, DtypeError
from minibn.interop import from_keras
from minibn.train import SGD
from minibn.train.step import step

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="PyTorch, the backend of Keras here, is not installed")
keras = pytest.importorskip("keras", reason="Keras is not installed")

torch.set_num_threads(1)  # its threads would wait for those of other tests
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
