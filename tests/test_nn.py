"""Layers, initial weights, running statistics, state and predictions."""

import warnings

import numpy as np
import oracles
import pytest
from cases import FLOATS

from minibn import nn
from minibn.autograd import Tensor, gradcheck
from minibn.errors import ArgumentError, BatchSizeError, CheckpointError, DtypeError, MinibnError, ShapeError


def rows(n, c, seed=0, dtype=np.float32, mean=0.0):
    return (np.random.default_rng([seed, n, c]).standard_normal((n, c)) + mean).astype(dtype)


def same_state(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name, strict=True)


# initial weights


@pytest.mark.parametrize("scale", [1.0, 0.1])
@pytest.mark.parametrize(("name", "limit"), [("he", (6 / 300) ** 0.5), ("glorot", (6 / 500) ** 0.5)])
def test_uniform_initializers(name, limit, scale):
    weight = getattr(nn, name)(np.random.default_rng(0), (300, 200), scale)
    assert weight.shape == (300, 200)
    assert 0.999 * limit * scale < np.abs(weight).max() <= limit * scale
    assert weight.var() == pytest.approx((limit * scale) ** 2 / 3, rel=0.02)
    assert abs(weight.mean()) < 0.02 * limit * scale


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_normal_initializer(scale):
    weight = nn.normal(np.random.default_rng(0), (300, 200), scale)
    assert weight.std() == pytest.approx(scale, rel=0.02)
    assert (np.abs(weight) < 2 * scale).mean() == pytest.approx(0.9545, abs=0.005)


def test_dense_takes_an_initializer_of_the_user():
    layer = nn.Dense(3, 2, init=lambda rng, shape, scale=5.0: np.full(shape, scale), init_scale=7)
    np.testing.assert_array_equal(layer.weight.data, np.full((3, 2), 7))
    np.testing.assert_array_equal(layer.bias.data, np.zeros(2))


@pytest.mark.parametrize("init", ["he", "glorot", "normal"])
def test_dense_draws_from_the_generator_it_is_given(init):
    expected = getattr(nn, init)(np.random.default_rng(3), (4, 2)).astype(np.float32)
    np.testing.assert_array_equal(nn.Dense(4, 2, init=init, rng=3).weight.data, expected)
    generator = np.random.default_rng(3)
    np.testing.assert_array_equal(nn.Dense(4, 2, init=init, rng=generator).weight.data, expected)


WRONG_LAYERS = [
    (lambda: nn.Dense(0, 3), ArgumentError, ["in_features", "at least 1", "got 0"]),
    (lambda: nn.Dense(3, 1.5), DtypeError, ["out_features", "integer", "got float"]),
    (lambda: nn.Dense(3, 2, init="xavier"), ArgumentError, ["init", "he, glorot, normal", "'xavier'"]),
    (lambda: nn.Dense(3, 2, init_scale=np.inf), ArgumentError, ["init_scale", "finite", "got inf"]),
    (lambda: nn.Dense(3, 2, dtype=np.int64), DtypeError, ["dtype", "float32 or float64"]),
    (lambda: nn.Dense(3, 2, dtype="nonsense"), DtypeError, ["dtype", "float32 or float64", "'nonsense'"]),
    (lambda: nn.BatchNorm(0), ArgumentError, ["features", "at least 1", "got 0"]),
    (lambda: nn.BatchNorm(2, momentum=1.1), ArgumentError, ["momentum", "[0, 1]", "got 1.1"]),
    (lambda: nn.BatchNorm(2, eps=-1e-5), ArgumentError, ["eps", "at least 0", "got -1e-05"]),
    (lambda: nn.BatchNorm(2, running_var="pooled"), ArgumentError, ["running_var", "'biased'", "'pooled'"]),
    (lambda: nn.BatchNorm(2, dtype=np.float16), DtypeError, ["dtype", "float32 or float64"]),
    (lambda: nn.Sequential(nn.Dense(2, 2), 3), ArgumentError, ["layer 1", "must be a Layer", "got int"]),
    (lambda: nn.mlp([3]), ArgumentError, ["sizes", "[3]", "e.g."]),
    (lambda: nn.mlp([3, 2, 1], activation="gelu"), ArgumentError, ["activation", "relu", "'gelu'"]),
    (lambda: nn.mlp([3, 2, 1], bn="yes"), DtypeError, ["bn must be True or False, got 'yes'"]),
    (lambda: nn.mlp([3, 2]).predict_proba(None), ShapeError, ["x must have shape (N, C), got NoneType"]),
    (
        lambda: nn.mlp([3, 2]).predict([1.0, 2.0, 3.0]),
        ShapeError,
        ["x must have shape (N, C), got shape (3,)"],
    ),
    (lambda: nn.mlp([3, -2, 1]), ArgumentError, ["out_features", "got -2"]),
    (lambda: nn.Dense(3, 2)(rows(4, 5)), ShapeError, ["Dense(in_features=3", "(N, 3)", "(4, 5)"]),
    (lambda: nn.Dense(3, 2)(rows(4, 3)[0]), ShapeError, ["(N, 3)", "(3,)"]),
    (lambda: nn.BatchNorm(3)(rows(4, 5)), ShapeError, ["gamma", "(5,)", "(3,)"]),
    (lambda: nn.BatchNorm(3)(rows(4, 3)[0]), ShapeError, ["(N, C)", "(3,)"]),
    (lambda: nn.BatchNorm(3)(rows(1, 3)), BatchSizeError, ["at least 2 rows", "got 1", "training=False"]),
    (lambda: nn.mlp([3, 2])(rows(4, 3).astype(str)), DtypeError, ["must hold numbers", "got <U"]),
]


@pytest.mark.parametrize(("make", "error", "fragments"), WRONG_LAYERS)
def test_wrong_layer_or_call(make, error, fragments):
    with pytest.raises(error) as caught:
        make()
    assert isinstance(caught.value, MinibnError)
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_layer_without_a_call_says_so():
    with pytest.raises(TypeError, match="Layer does not define __call__"):
        nn.Layer()(rows(2, 2))
    assert (nn.Layer().parameters(), nn.Layer().buffers(), nn.Layer().config()) == ({}, {}, {})


# networks

LAYOUTS = {
    True: ["Dense", "BatchNorm", "ReLU", "Dense", "BatchNorm", "ReLU", "Dense"],
    False: ["Dense", "ReLU", "Dense", "ReLU", "Dense"],
}


@pytest.mark.parametrize("bn", [True, False])
def test_mlp_layout(bn):
    model = nn.mlp([20, 10, 7, 3], bn=bn)
    assert [type(layer).__name__ for layer in model.layers] == LAYOUTS[bn]
    dense = [layer for layer in model.layers if isinstance(layer, nn.Dense)]
    assert [layer.bias is None for layer in dense] == [bn, bn, False]
    assert (model.in_features, model.out_features) == (20, 3)
    assert model.layers[-1].bias.data.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("activation", "init"), [("relu", nn.he), ("tanh", nn.glorot), ("sigmoid", nn.glorot)]
)
def test_both_arms_draw_the_same_weights(activation, init):
    arms = [nn.mlp([20, 10, 7, 3], bn=bn, activation=activation, rng=5) for bn in (True, False)]
    weights = [[layer.weight.data for layer in arm.layers if isinstance(layer, nn.Dense)] for arm in arms]
    rng = np.random.default_rng(5)
    for (with_bn, without), shape in zip(
        zip(*weights, strict=True), [(20, 10), (10, 7), (7, 3)], strict=True
    ):
        np.testing.assert_array_equal(with_bn, without)
        np.testing.assert_array_equal(with_bn, init(rng, shape).astype(np.float32))


def test_mlp_passes_its_options_on():
    model = nn.mlp([4, 3, 2], bn_momentum=None, bn_eps=0.5, init="normal", init_scale=0.0, dtype=np.float64)
    assert model.layers[1].momentum is None
    assert model.layers[1].eps == 0.5
    assert model.dtype == np.float64
    assert not model.layers[0].weight.data.any()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_network_equals_oracle(activation, training):
    model, x = nn.mlp([5, 4, 3], activation=activation, dtype=np.float64), rows(8, 5, dtype=np.float64)
    dense, norm, _, head = model.layers
    norm.gamma.data[:], norm.beta.data[:] = [1, 2, 0.5, 1], [0, 1, -1, 2]
    norm.running_mean[:], norm.running_var[:] = 0.3, 2.0
    affine = norm.gamma.data, norm.beta.data
    scores = x @ dense.weight.data
    if training:
        y = oracles.batch_norm_forward(scores, *affine, 1e-5)[0]
    else:
        y = oracles.batch_norm_inference(scores, *affine, np.full(4, 0.3), np.full(4, 2.0), 1e-5)[0]
    expected = getattr(oracles, f"{activation}_forward")(y)[0] @ head.weight.data
    np.testing.assert_allclose(model(x, training=training).data, expected, atol=1e-12)


def test_network_gradcheck():
    model = nn.mlp([3, 4, 2], dtype=np.float64, activation="tanh")
    x, labels = rows(6, 3, dtype=np.float64), np.array([0, 1, 1, 0, 1, 0])
    loss, parameters = nn.SoftmaxCrossEntropy(), list(model.parameters().values())
    assert gradcheck(lambda *_: loss(model(x, training=True), labels), parameters)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("given", [np.uint8, np.int64, np.float16, np.float32, np.float64, bool])
def test_network_takes_every_number(given, dtype):
    model, x = nn.mlp([3, 2], dtype=dtype), np.array([[0, 1, 1], [1, 0, 1]])
    output = model(x.astype(given)).data
    assert output.dtype == dtype
    np.testing.assert_array_equal(output, model(x).data)


def test_trace_names_every_layer():
    model, x = nn.mlp([5, 4, 3]), rows(6, 5)
    before = model.state_dict()
    trace = model.trace(x)
    assert [name for name, _ in trace] == ["0.Dense", "1.BatchNorm", "2.ReLU", "3.Dense"]
    np.testing.assert_array_equal(trace[-1][1], model.logits(x))
    same_state(model.state_dict(), before)


# running statistics

MOMENTA = [0.1, 0.5, 0.0, 1.0, None]


@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("kind", ["unbiased", "biased"])
def test_running_statistics(kind, momentum):
    layer = nn.BatchNorm(3, momentum, running_var=kind)
    mean, var = np.zeros(3), np.ones(3)
    for batch in range(1, 6):
        x = rows(4 + batch, 3, seed=batch, mean=5.0)
        layer(x)
        new = x.astype(np.float64)
        weight = 1 / batch if momentum is None else momentum
        mean = (1 - weight) * mean + weight * new.mean(axis=0)
        var = (1 - weight) * var + weight * new.var(axis=0, ddof=kind == "unbiased")
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked == 5
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float64


def test_cumulative_average_is_the_mean_over_batches():
    layer, batches = nn.BatchNorm(2, momentum=None), [rows(8, 2, seed) for seed in range(7)]
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(
        layer.running_mean, np.mean([b.mean(axis=0, dtype=float) for b in batches], axis=0)
    )


MODES = [(True, None, True), (False, None, False), (True, False, False), (False, True, True)]


@pytest.mark.parametrize(("mode", "argument", "trains"), MODES)
def test_the_argument_of_a_call_overrides_the_mode(mode, argument, trains):
    layer = nn.BatchNorm(3).train(mode)
    y = layer(rows(6, 3, mean=9.0), training=argument)
    assert layer.num_batches_tracked == trains
    assert (abs(y.data.mean()) < 1e-3) == trains
    assert layer.training == mode


def test_train_and_eval_reach_every_layer():
    model = nn.mlp([4, 3, 2])
    assert model.training
    assert model.eval() is model
    assert not any(layer.training for layer in (model, *model.layers))
    assert model.train() is model
    assert all(layer.training for layer in (model, *model.layers))


def test_evaluation_leaves_the_state_bit_for_bit():
    model = nn.mlp([4, 3, 2])
    model(rows(8, 4))
    before = model.state_dict()
    model.eval()(rows(8, 4, seed=1))
    model.train().predict(rows(8, 4, seed=1))
    model.predict_proba(rows(8, 4, seed=1))
    same_state(model.state_dict(), before)
    assert model.training


def test_frozen_survives_train():
    model = nn.mlp([4, 3, 2])
    norm = model.layers[1]
    assert norm.freeze() is norm
    model.train()
    before = norm.state_dict()
    output = model(rows(8, 4, mean=3.0), training=True)
    (output * output).sum().backward()
    same_state(norm.state_dict(), before)
    assert norm.gamma.grad is None
    assert norm.beta.grad is None
    assert model.layers[0].weight.grad.any()
    assert norm.unfreeze() is norm
    model(rows(8, 4))
    assert norm.num_batches_tracked == 1
    assert norm.gamma.requires_grad


def test_frozen_layer_takes_one_row():
    assert nn.BatchNorm(3).freeze()(rows(1, 3), training=True).shape == (1, 3)


def test_without_affine_nothing_is_trained():
    layer = nn.BatchNorm(3, affine=False)
    assert layer.parameters() == {}
    assert layer.unfreeze().gamma.requires_grad is False
    x = rows(6, 3, dtype=np.float32)
    np.testing.assert_allclose(layer(x).data, oracles.batch_norm_forward(x, 1, 0, 1e-5)[0], atol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:minibn.kernels")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_batch_is_skipped_counted_and_warned_of_once(bad):
    layer, x = nn.BatchNorm(3), rows(6, 3)
    layer(x)
    before = layer.state_dict()
    x[2, 1] = bad
    with pytest.warns(RuntimeWarning, match=r"not finite \(feature 1\).*num_batches_skipped") as caught:
        output = layer(x)
    assert sum("num_batches_skipped" in str(w.message) for w in caught) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="BatchNorm met")
        layer(x)
    same_state(layer.state_dict(), before)
    assert layer.num_batches_skipped == 2
    assert np.isnan(output.data[:, 1]).all()
    assert np.isfinite(output.data[:, [0, 2]]).all()


# state


def test_state_is_named_and_laid_out_as_in_torch():
    model = nn.mlp([5, 4, 3])
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert shapes == {
        "0.weight": (4, 5), "1.weight": (4,), "1.bias": (4,), "1.running_mean": (4,), "1.running_var": (4,),
        "1.num_batches_tracked": (), "3.weight": (3, 4), "3.bias": (3,),
    }  # fmt: skip
    np.testing.assert_array_equal(model.state_dict()["0.weight"], model.layers[0].weight.data.T)
    assert all(value.flags.c_contiguous for value in model.state_dict().values())
    assert model.state_dict()["1.num_batches_tracked"].dtype == np.int64


def test_state_round_trip():
    ours, theirs = nn.mlp([5, 4, 3], rng=1), nn.mlp([5, 4, 3], rng=2)
    ours(rows(9, 5))
    theirs.load_state_dict(ours.state_dict())
    same_state(theirs.state_dict(), ours.state_dict())
    np.testing.assert_array_equal(theirs.logits(rows(9, 5)), ours.logits(rows(9, 5)))


def test_state_is_a_copy():
    model = nn.mlp([5, 4, 3])
    state = model.state_dict()
    for value in state.values():
        value[...] = 7
    assert not (model.layers[1].running_mean == 7).any()
    model.load_state_dict(state)
    state["0.weight"][...] = 8
    assert (model.layers[0].weight.data == 7).all()


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


BAD_STATES = [
    (lambda s: without(s, "3.bias"), ["missing ['3.bias']"]),
    (lambda s: {**s, "9.bias": np.ones(3)}, ["unknown ['9.bias']"]),
    (lambda s: {**s, "3.weight": s["3.weight"].T}, ["3.weight", "(3, 4)", "(4, 3)"]),
    (lambda s: {**s, "3.bias": np.ones(())}, ["3.bias", "(3,)", "()"]),
    (lambda s: {**s, "3.bias": np.array(["a"] * 3)}, ["3.bias", "real numbers", "<U1"]),
    (lambda s: {**s, "3.bias": np.ones(3) * 1j}, ["3.bias", "real numbers", "complex128"]),
    (lambda s: {**s, "3.bias": np.array([None] * 3)}, ["3.bias", "real numbers", "object"]),
]


@pytest.mark.parametrize(("change", "fragments"), BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(change, fragments):
    model, other = nn.mlp([5, 4, 3], rng=1), nn.mlp([5, 4, 3], rng=2)
    before = model.state_dict()
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(change(other.state_dict()))
    same_state(model.state_dict(), before)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("layer", [nn.Dense(3, 2), nn.BatchNorm(3)], ids=repr)
def test_a_layer_refuses_a_state_that_does_not_fit(layer):
    before = layer.state_dict()
    with pytest.raises(CheckpointError, match="missing"):
        layer.load_state_dict({})
    same_state(layer.state_dict(), before)
    layer.load_state_dict({name: value + 1 for name, value in before.items()})
    same_state(layer.state_dict(), {name: (value + 1).astype(value.dtype) for name, value in before.items()})


def test_architecture_round_trip():
    model = nn.mlp([5, 4, 3], bn_momentum=None, bn_eps=1e-3, activation="tanh")
    model.layers[1].freeze()
    again = nn.Sequential.from_config(model.config())
    assert repr(again) == repr(model)
    assert again.layers[1].frozen
    assert again.layers[1].momentum is None


@pytest.mark.parametrize(
    ("layer", "fragment"),
    [
        ({"layer": "Conv"}, "unknown layer 'Conv'"),
        ({"layer": "Dense", "x": 1}, "arguments that Dense does not take"),
        ({}, "None"),
    ],
)
def test_foreign_architecture(layer, fragment):
    with pytest.raises(CheckpointError, match=fragment):
        nn.Sequential.from_config({"layers": [layer]})


# text

SUMMARY = """
layer output parameters batch-norm state
0 Dense(in_features=20, out_features=10, bias=False) (N, 10) 200 0
1 BatchNorm(features=10, momentum=0.1, eps=1e-05, affine=True, running_var='unbiased') (N, 10) 20 21
2 ReLU() (N, 10) 0 0
3 Dense(in_features=10, out_features=3, bias=True) (N, 3) 33 0
total 253 21
"""


def test_summary_prints_layers_shapes_and_counts(capsys):
    nn.mlp([20, 10, 3]).summary()
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()] == [
        line.split() for line in SUMMARY.strip().splitlines()
    ]
    assert len({len(line) for line in printed.splitlines()}) == 1


def test_network_describes_itself():
    text = repr(nn.mlp([4, 3, 2], bn=False, activation="sigmoid"))
    assert text == (
        "Sequential(\n  0: Dense(in_features=4, out_features=3, bias=True)\n  1: Sigmoid()\n"
        "  2: Dense(in_features=3, out_features=2, bias=True)\n)"
    )


def test_summary_of_a_network_that_starts_without_sizes(capsys):
    nn.Sequential(nn.ReLU(), nn.Dense(2, 3)).summary()
    assert "(N, ?)" in capsys.readouterr().out
    assert nn.Sequential(nn.ReLU()).dtype == np.float32


# predictions


def test_predictions():
    model, x = nn.mlp([4, 3, 5]), rows(30, 4)
    model(rows(64, 4, mean=1.0))
    scores = model.logits(x)
    probabilities = model.predict_proba(x)
    np.testing.assert_allclose(probabilities, oracles.softmax(scores), atol=1e-6)
    np.testing.assert_array_equal(model.predict(x), scores.argmax(axis=1))
    assert probabilities.dtype == np.float32


def test_probabilities_of_large_logits():
    model = nn.Sequential(nn.Dense(2, 2, init=lambda rng, shape: 1e4 * np.eye(2)))
    np.testing.assert_array_equal(model.predict_proba(np.eye(2, dtype=np.float32)), np.eye(2))


def test_many_rows_are_evaluated_in_blocks():
    model, x = nn.mlp([4, 3]), rows(8192 + 5, 4)
    assert model.logits(x).shape == (8197, 3)
    np.testing.assert_allclose(model.logits(x)[8192:], model.logits(x[8192:]), rtol=1e-5, atol=1e-6)


def test_prediction_of_nothing_is_an_error():
    with pytest.raises(ShapeError, match="must not be empty"):
        nn.mlp([4, 3]).predict(rows(1, 4)[:0])


# losses


def test_loss_objects():
    scores, labels = rows(5, 3, dtype=np.float64), np.array([0, 2, 1, 0, 2])
    weight = [1.0, 2.0, 4.0]
    plain, weighted = nn.SoftmaxCrossEntropy(), nn.SoftmaxCrossEntropy(weight)
    assert plain(Tensor(scores), labels).item() == pytest.approx(
        oracles.softmax_cross_entropy_forward(scores, labels)[0]
    )
    assert weighted(Tensor(scores), labels).item() == pytest.approx(
        oracles.softmax_cross_entropy_forward(scores, labels, weight)[0]
    )
    assert (plain.weight(labels), weighted.weight(labels)) == (5.0, 12.0)
    assert plain.correct(np.eye(3)[[0, 2, 2, 1, 2]], labels) == 3


@pytest.mark.parametrize("shape", [(6, 1), (6,)], ids=str)
def test_squared_error_takes_a_column_or_a_row(shape):
    loss, output = nn.SquaredError(), rows(6, 1, dtype=np.float64)
    target = np.arange(6)
    assert loss(output, target.reshape(shape)).item() == pytest.approx(((output[:, 0] - target) ** 2).mean())
    assert loss.weight(target) == 6
    assert loss.correct(output, target) is None
    with pytest.raises(ShapeError, match="target must have shape"):
        loss(output, np.arange(4))


def test_zero_grad_forgets_every_gradient():
    model = nn.mlp([3, 4, 2])
    nn.SoftmaxCrossEntropy()(model(rows(5, 3)), np.array([0, 1, 1, 0, 1])).backward()
    assert all(tensor.grad is not None for tensor in model.parameters().values())
    model.zero_grad()
    assert all(tensor.grad is None for tensor in model.parameters().values())


def test_networks_do_not_nest():
    with pytest.raises(ArgumentError, match="must not be a Sequential"):
        nn.Sequential(nn.Sequential(nn.ReLU()))
