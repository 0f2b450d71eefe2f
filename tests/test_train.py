"""Training: one step, the loop, its history, early stopping, failures, and what it refuses."""

import numpy as np
import oracles
import pytest

from minibn import nn
from minibn.data import blocks, split
from minibn.data.stream import INIT, generator
from minibn.errors import (
    ArgumentError,
    BatchSizeError,
    DataError,
    DtypeError,
    MinibnError,
    NonFiniteLossError,
    ShapeError,
)
from minibn.train import (
    SGD,
    Adam,
    EarlyStopping,
    EpochRecord,
    History,
    Settings,
    build,
    epochs,
    fit,
    memory,
    prepare,
    run_epochs,
    step,
)
from minibn.train.batches import batch_bounds, epoch_order
from minibn.train.memory import LAYER_BYTES, machine_bytes, training_bytes


def blobs(rows=90, columns=4, classes=3, seed=0, dtype=np.float32):
    """Classes that a small network separates."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    x = rng.standard_normal((rows, columns)) + 2 * np.eye(classes, columns)[y]
    return x.astype(dtype), y


def network(**options):
    return nn.mlp([4, 6, 3], **{"rng": 3, **options})


def states(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


def test_the_example_follows_the_documents():
    """Mean over twenty seeds of the preset, against the documents' row."""
    losses, accuracies = [], []
    for seed in range(20):
        experiment = prepare(Settings(seed=seed))
        records = list(run_epochs(experiment, build(experiment)))
        losses.append([record.train_loss for record in records])
        accuracies.append([record.train_accuracy for record in records])
    np.testing.assert_allclose(np.mean(losses, axis=0), [1.2, 0.9, 0.7, 0.55, 0.45], atol=0.1)
    np.testing.assert_allclose(np.mean(accuracies, axis=0), [0.45, 0.60, 0.72, 0.80, 0.85], atol=0.08)


def test_the_example_draws_its_weights_from_the_stream_of_its_seed():
    experiment = prepare(Settings(seed=4))
    expected = nn.mlp([20, 10, 3], rng=generator(4, INIT))
    assert states(build(experiment)) == states(expected)


# optimizers

SGD_SETTINGS = [{}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}]  # fmt: skip


def test_nesterov_needs_momentum():
    with pytest.raises(ArgumentError, match="nesterov needs momentum"):
        SGD(nesterov=True)


def quadratic(width=5):
    """Return a network of one weight matrix, and the gradient that SquaredError gives it on fixed data."""
    x, target = np.random.default_rng(0).standard_normal((9, width)), np.arange(9.0)
    model = nn.Sequential(nn.Dense(width, 1, bias=False, rng=1, dtype=np.float64))
    return model, x, target, lambda w: x.T @ oracles.squared_error_backward(x @ w, target[:, None])[0]


@pytest.mark.parametrize("options", SGD_SETTINGS, ids=str)
def test_sgd_trajectory(options):
    model, x, target, gradient = quadratic()
    weight, loss, optimizer = model.layers[0].weight.data.copy(), nn.SquaredError(), SGD(0.05, **options)
    velocity = np.zeros_like(weight) if options.get("momentum") else None
    for _ in range(30):
        step(model, loss, optimizer, x, target)
        arguments = (
            0.05,
            options.get("momentum", 0.0),
            options.get("nesterov", False),
            options.get("weight_decay", 0.0),
        )
        weight, *state = oracles.sgd_update(weight, gradient(weight), velocity, *arguments)
        velocity = state[0] if state else None
    np.testing.assert_allclose(model.layers[0].weight.data, weight, rtol=1e-10)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_trajectory(decay):
    model, x, target, gradient = quadratic()
    weight, loss, optimizer = (
        model.layers[0].weight.data.copy(),
        nn.SquaredError(),
        Adam(0.1, weight_decay=decay),
    )
    m = v = np.zeros_like(weight)
    for k in range(1, 31):
        step(model, loss, optimizer, x, target)
        weight, m, v = oracles.adam_update(weight, gradient(weight), m, v, k, 0.1, 0.9, 0.999, 1e-8, decay)
    np.testing.assert_allclose(model.layers[0].weight.data, weight, rtol=1e-9)
    assert optimizer.steps == 30


@pytest.mark.parametrize("decay_all", [False, True])
@pytest.mark.parametrize("kind", [SGD, Adam])
def test_decay_skips_gamma_beta_and_biases(kind, decay_all):
    model = network()
    for tensor in model.parameters().values():
        tensor.data += 1
        tensor.grad = np.zeros_like(tensor.data)
    before = {name: tensor.data.copy() for name, tensor in model.parameters().items()}
    kind(0.1, weight_decay=0.5, decay_all=decay_all).update(model)
    changed = {name for name, tensor in model.parameters().items() if (tensor.data != before[name]).any()}
    assert changed == (set(before) if decay_all else {"0.weight", "3.weight"})


def test_parameters_without_a_gradient_stay():
    model = network()
    model.layers[1].freeze()
    x, y = blobs()
    before = states(model)
    step(model, nn.SoftmaxCrossEntropy(), SGD(0.5), x, y)
    changed = {name for name, value in states(model).items() if value != before[name]}
    assert changed == {"0.weight", "3.weight", "3.bias"}


WRONG_OPTIMIZERS = [
    (lambda: SGD(-0.1), ["learning_rate", "at least 0", "got -0.1"]),
    (lambda: SGD("0.1"), ["learning_rate", "number", "got str"]),
    (lambda: SGD(momentum=1.5), ["momentum", "[0, 1]", "got 1.5"]),
    (lambda: SGD(weight_decay=np.nan), ["weight_decay", "got nan"]),
    (lambda: Adam(beta1=1.0), ["beta1", "got 1.0"]),
    (lambda: Adam(beta2=-0.1), ["beta2", "got -0.1"]),
    (lambda: Adam(eps=-1.0), ["eps", "got -1.0"]),
    (lambda: EarlyStopping(0), ["patience", "at least 1", "got 0"]),
    (lambda: EarlyStopping(min_delta=-1), ["min_delta", "at least 0", "got -1"]),
]


def refuses(call, fragments, error=MinibnError):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, MinibnError)
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize(("make", "fragments"), WRONG_OPTIMIZERS)
def test_wrong_optimizer(make, fragments):
    refuses(make, fragments)


def test_optimizers_describe_themselves():
    assert repr(SGD(0.1, 0.9)).startswith("SGD(learning_rate=0.1, momentum=0.9, nesterov=False")
    assert repr(Adam()).startswith("Adam(learning_rate=0.001, beta1=0.9")


# batches

BOUNDS = [
    (10, 5, [(0, 5), (5, 10)]),
    (11, 5, [(0, 5), (5, 11)]),
    (12, 5, [(0, 5), (5, 10), (10, 12)]),
    (3, 5, [(0, 3)]),
    (6, 5, [(0, 6)]),
    (2, 2, [(0, 2)]),
    (3, 2, [(0, 3)]),
    (5, 2, [(0, 2), (2, 5)]),
]


@pytest.mark.parametrize(("rows", "size", "expected"), BOUNDS)
def test_a_single_last_row_joins_the_batch_before(rows, size, expected):
    assert batch_bounds(rows, size) == expected


@pytest.mark.parametrize("bn", [True, False])
def test_a_single_last_row_trains_in_both_arms(bn):
    x, y = blobs(33)
    model = network(bn=bn)
    history = fit(model, x, y, batch_size=32, epochs=1)
    assert len(history) == 1
    if bn:
        assert model.layers[1].num_batches_tracked == 1


def test_order_is_a_permutation_of_its_own_for_each_seed_and_epoch():
    orders = [tuple(epoch_order(50, seed, epoch)) for seed in (0, 1) for epoch in (1, 2)]
    assert len(set(orders)) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert tuple(epoch_order(50, 0, 1)) == orders[0]


# the loop


@pytest.mark.parametrize(("engine", "activation"), [("eager", "relu"), ("program", "tanh")])
def test_history_agrees_with_a_loop_by_hand(engine, activation):
    """The program fuses a ReLU behind a batch norm, and then agrees only to rounding."""
    x, y = blobs(50)
    model, twin = network(activation=activation), network(activation=activation)
    loss, optimizer = nn.SoftmaxCrossEntropy(), SGD(0.1)
    options = {"epochs": 3, "batch_size": 16, "seed": 5, "validation": (x[:9], y[:9]), "engine": engine}
    history = fit(model, x, y, optimizer=SGD(0.1), **options)
    for record in history:
        order, total, correct = epoch_order(50, 5, record.epoch), 0.0, 0
        for low, high in batch_bounds(50, 16):
            result = step(twin, loss, optimizer, x[order[low:high]], y[order[low:high]])
            total, correct = total + result.loss * (high - low), correct + result.correct
        assert record.train_loss == pytest.approx(total / 50, rel=1e-12)
        assert record.train_accuracy == correct / 50
    assert states(model) == states(twin)
    final = history[-1]
    assert final.train_loss_eval == loss(model.logits(x), y).item()
    assert final.val_loss == loss(model.logits(x[:9]), y[:9]).item()
    assert final.val_accuracy == (model.predict(x[:9]) == y[:9]).mean()


def test_history_is_a_sequence_of_frozen_records():
    history = fit(network(), *blobs(), epochs=2)
    assert isinstance(history, History)
    assert [record.epoch for record in history] == [1, 2]
    assert history.column("train_loss") == [history[0].train_loss, history[1].train_loss]
    assert (history.best_epoch, history.stopped_early) == (None, False)
    assert (history[0].val_loss, history[0].val_accuracy) == (None, None)
    assert history[0].seconds > 0
    assert EpochRecord(**history[0].to_dict()) == history[0]
    with pytest.raises(AttributeError):
        history[0].epoch = 9
    with pytest.raises(KeyError, match="no figure 'loss'.*train_loss"):
        history.column("loss")


def test_epochs_yields_what_fit_returns():
    x, y = blobs()
    models = network(), network()
    generator_ = epochs(models[0], x, y, epochs=3)
    first = next(generator_)
    after_one = states(models[0])
    records = [first, *generator_]
    assert tuple(records) == fit(models[1], x, y, epochs=3).records
    assert states(models[0]) == states(models[1]) != after_one


@pytest.mark.parametrize("make", [lambda: SGD(0.1, 0.9), lambda: Adam(0.01)])
def test_the_same_seed_gives_the_same_bits(make):
    x, y = blobs()
    runs = []
    for seed in (1, 1, 2):
        model = network()
        runs.append((fit(model, x, y, optimizer=make(), seed=seed, validation=0.2).records, states(model)))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_used_optimizer_starts_anew():
    x, y = blobs()
    used, models = Adam(0.01), (network(), network())
    fit(network(), x, y, optimizer=used)
    fit(models[0], x, y, optimizer=used)
    fit(models[1], x, y, optimizer=Adam(0.01))
    assert states(models[0]) == states(models[1])


def test_fit_prints_nothing_and_leaves_the_model_in_evaluation_mode(capsys):
    model = network()
    fit(model, *blobs(), epochs=1)
    assert not model.training
    assert capsys.readouterr() == ("", "")


def test_training_learns_with_every_layer_and_optimizer():
    x, y = blobs(300)
    for activation in ("relu", "sigmoid", "tanh"):
        for optimizer in (SGD(0.1, 0.9), Adam(0.02)):
            history = fit(network(activation=activation), x, y, optimizer=optimizer, epochs=15)
            assert history[-1].train_accuracy > 0.75 > history[0].train_accuracy


def test_callbacks_see_every_epoch():
    seen = []
    model = network()
    fit(model, *blobs(), epochs=2, callbacks=[lambda m, record: seen.append((m is model, record.epoch))])
    assert seen == [(True, 1), (True, 2)]


@pytest.mark.parametrize("kind", ["list", "uint8", "float64", "memmap", "fortran", "read-only"])
def test_inputs_of_every_kind(kind, tmp_path):
    x, y = blobs()
    x = np.round(x * 20).clip(0, 255)
    reference = network()
    fit(reference, x, y, validation=0.25)
    np.save(tmp_path / "x.npy", x)
    x.flags.writeable = False
    given = {
        "list": (x.tolist(), y.tolist()),
        "uint8": (x.astype(np.uint8), y.astype(np.uint8)),
        "float64": (x.astype(np.float64), y),
        "memmap": (np.load(tmp_path / "x.npy", mmap_mode="r"), y),
        "fortran": (np.asfortranarray(x), y),
        "read-only": (x, y),
    }[kind]
    model = network()
    fit(model, *given, validation=0.25)
    assert states(model) == states(reference)


def test_npz_written_as_bytes_trains(tmp_path):
    x, y = blobs()
    bytes_ = np.round(x * 20).clip(0, 255).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x=bytes_, y=y)
    experiment = prepare(Settings(data=str(tmp_path / "data.npz"), epochs=2))
    assert experiment.dataset.x.dtype == np.uint8
    records = list(run_epochs(experiment, build(experiment)))
    assert len(records) == 2
    assert np.isfinite(records[-1].train_loss)


# validation, weights, regression


def test_a_fraction_is_split_off_stratified():
    x, y = blobs(100, classes=2)
    train, held = split(y, 0.3, 7)
    models = nn.mlp([4, 3, 2], rng=1), nn.mlp([4, 3, 2], rng=1)
    ours = fit(models[0], x, y, validation=0.3, seed=7)
    theirs = fit(models[1], x[train], y[train], validation=(x[held], y[held]), seed=7)
    assert ours.records == theirs.records
    assert np.bincount(y[held]).tolist() == [15, 15]


@pytest.mark.parametrize("weight", ["balanced", [1.0, 5.0, 0.5], {1: 5.0}], ids=str)
def test_class_weights_enter_the_loss(weight):
    x, y = blobs(60)
    y = np.where(np.arange(60) < 45, 0, y)
    counts = np.bincount(y)
    numbers = {"balanced": 60 / (3 * counts)}.get(str(weight)) if isinstance(weight, str) else weight
    numbers = [1.0, 5.0, 1.0] if isinstance(numbers, dict) else numbers
    model = network()
    history = fit(model, x, y, class_weight=weight, epochs=2)
    expected = oracles.softmax_cross_entropy_forward(model.logits(x), y, np.asarray(numbers, float))[0]
    assert history[-1].train_loss_eval == pytest.approx(expected, rel=1e-5)


def test_regression():
    x, _ = blobs(120)
    y = x @ np.array([1.0, -2, 0.5, 0]) + 3
    model = nn.mlp([4, 8, 1])
    history = fit(model, x, y, loss="squared_error", optimizer=Adam(0.05), epochs=40, validation=0.25)
    assert history[-1].train_accuracy is None
    assert history[-1].val_accuracy is None
    assert history[-1].val_loss < 0.1 * history[0].val_loss
    assert history[-1].val_loss < 0.2 * y.var()


def test_regression_of_two_columns():
    x, _ = blobs(60)
    y = np.column_stack([x[:, 0], x[:, 1] - 1])
    history = fit(nn.mlp([4, 8, 2]), x, y, loss=nn.SquaredError(), optimizer=Adam(0.05), epochs=10)
    assert history[-1].train_loss < history[0].train_loss


# early stopping


def test_early_stopping_restores_the_best_weights():
    x, y = blobs(60)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    model, kept = network(), []
    history = fit(
        model, x, y, optimizer=SGD(0.5), epochs=60, validation=noise, early_stopping=3,
        callbacks=[lambda m, record: kept.append(states(m))],
    )  # fmt: skip
    losses = history.column("val_loss")
    assert history.stopped_early
    assert history.best_epoch == 1 + int(np.argmin(losses))
    assert len(history) == history.best_epoch + 3
    assert states(model) == kept[history.best_epoch - 1]
    assert states(model) != kept[-1]
    loss = nn.SoftmaxCrossEntropy()(model.logits(noise[0]), noise[1]).item()
    assert loss == min(losses)


def test_early_stopping_counts_only_decreases_of_min_delta():
    x, y = blobs(60)
    history = fit(network(), x, y, epochs=20, validation=0.3, early_stopping=EarlyStopping(2, min_delta=10.0))
    assert len(history) == 3
    assert history.best_epoch == 1


def test_a_run_that_keeps_improving_is_not_stopped():
    history = fit(network(), *blobs(90), epochs=4, validation=0.3, early_stopping=4)
    assert not history.stopped_early
    assert len(history) == 4


# failures


def test_non_finite_loss_names_epoch_step_and_layer():
    x, y = blobs(40)
    model = network(bn=False)
    with pytest.raises(NonFiniteLossError) as caught:
        fit(model, x * 1e3, y, optimizer=SGD(1e30), epochs=3, batch_size=8)
    error = caught.value
    assert (error.epoch, error.step) == (1, 2)
    assert error.layer in ("0.Dense", "2.Dense")
    assert f"epoch 1, step 2; first non-finite output: {error.layer}" in str(error)
    assert len(error.history) == 0


def test_non_finite_loss_keeps_the_history_so_far():
    x, y = blobs(40)
    model = network()

    def break_weights(model, record):
        if record.epoch == 2:
            model.layers[3].weight.data[:] = np.nan

    with pytest.raises(NonFiniteLossError) as caught:
        fit(model, x, y, epochs=5, batch_size=8, callbacks=[break_weights])
    assert (caught.value.epoch, caught.value.step, caught.value.layer) == (3, 1, "3.Dense")
    assert [record.epoch for record in caught.value.history] == [1, 2]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_step_with_a_non_finite_loss_updates_nothing():
    x, y = blobs(12)
    model, optimizer = network(), SGD(0.1)
    x[3, 2] = np.nan
    before = states(model)
    result = step(model, nn.SoftmaxCrossEntropy(), optimizer, x, y)
    assert not result.finite
    assert states(model) == before
    assert optimizer.steps == 0


def test_a_failed_run_can_be_pickled():
    import pickle

    error = NonFiniteLossError(2, 3, "0.Dense", History())
    again = pickle.loads(pickle.dumps(error))
    assert (again.epoch, again.step, again.layer, str(again)) == (2, 3, "0.Dense", str(error))


# what fit refuses

X, Y = blobs(20)


def spoiled(value, row=7, column=2, dtype=np.float32):
    x = X.astype(dtype)
    x[row, column] = value
    return x


WRONG_CALLS = [
    ({"x": spoiled(np.nan)}, DataError, ["x[7, 2] is nan", "fill it in or drop the row"]),
    ({"x": spoiled(-np.inf)}, DataError, ["x[7, 2] is -inf", "not finite; correct it"]),
    ({"x": spoiled(1e39, dtype=np.float64)}, DataError, ["x[7, 2] is 1e+39: too large for float32", "Scaler"]),
    ({"x": spoiled(np.nan), "validation": 0.5}, DataError, ["x[7, 2] is nan"]),
    ({"validation": (spoiled(np.nan), Y)}, DataError, ["validation x[7, 2] is nan"]),
    ({"y": np.where(Y == 1, np.nan, 0), "loss": "squared_error"}, DataError, ["y[1] is nan"]),
    ({"loss": nn.SquaredError}, DtypeError, ["got the class SquaredError; pass SquaredError()"]),
    ({"loss": lambda output, target: 0.0}, DtypeError, ["loss must have the methods weight and correct", "function"]),
    ({"callbacks": [print, 3]}, DtypeError, ["callbacks[1] must be a function (model, record), got 3"]),
    ({"callbacks": print}, DtypeError, ["callbacks must be a sequence of functions", "pass a list"]),
    ({"lr": 3}, DtypeError, ["fit has no argument 'lr'; it belongs to the optimizer", "SGD(learning_rate"]),
    ({"shuffle": True}, DtypeError, ["fit has no argument 'shuffle'; choose among loss, optimizer, epochs"]),
    ({"checkpoint": 3}, DtypeError, ["checkpoint must be the path of a folder, got int"]),
    ({"resume": 3}, DtypeError, ["resume must be the path of a folder, got int"]),
    ({"loss": ["hinge"]}, ArgumentError, ["loss must be one of", "['hinge']"]),
    ({"x": X[:, 0]}, ShapeError, ["x must have shape (N, C)", "(20,)"]),
    ({"x": X[:0], "y": Y[:0]}, ShapeError, ["x", "not be empty"]),
    ({"x": X[:1], "y": Y[:1]}, BatchSizeError, ["at least 2 rows", "got 1"]),
    ({"x": X[:, :3]}, ShapeError, ["(N, 4)", ", 3)"]),
    ({"x": X.astype(str)}, DtypeError, ["numbers", "<U"]),
    ({"y": Y[:-1]}, ShapeError, ["y must have one entry per row of x, 20, got 19"]),
    ({"y": 1}, ShapeError, ["y must have one entry per row"]),
    ({"y": Y + 1}, ArgumentError, ["y must lie in [0, 3)", "got 3 at row 2"]),
    ({"y": Y.astype(float)}, DtypeError, ["y must be integers", "float64"]),
    ({"y": Y[:, None]}, ShapeError, ["y must have shape (20,)", "(20, 1)"]),
    ({"loss": "hinge"}, ArgumentError, ["loss must be one of softmax_cross_entropy, squared_error", "'hinge'"]),
    ({"loss": 3}, ArgumentError, ["loss must be one of", "got 3"]),
    ({"loss": "squared_error"}, ShapeError, ["target must have shape"]),
    ({"loss": "squared_error", "class_weight": "balanced"}, ArgumentError, ["class_weight needs softmax"]),
    ({"class_weight": "even"}, ArgumentError, ["'balanced'", "'even'"]),
    ({"class_weight": [1, 2]}, ArgumentError, ["expected 3", "(2,)"]),
    ({"class_weight": [1, 2, 0]}, ArgumentError, ["must be positive", "[1.0, 2.0, 0.0]"]),
    ({"optimizer": "sgd"}, DtypeError, ["optimizer must be SGD or Adam", "'sgd'"]),
    ({"epochs": 0}, ArgumentError, ["epochs", "at least 1", "got 0"]),
    ({"epochs": 2.0}, DtypeError, ["epochs", "integer", "got float"]),
    ({"batch_size": 1}, ArgumentError, ["batch_size", "at least 2", "got 1"]),
    ({"seed": -1}, ArgumentError, ["seed", "at least 0", "got -1"]),
    ({"seed": None}, DtypeError, ["seed", "integer", "got NoneType"]),
    ({"validation": 1.5}, ArgumentError, ["fraction", "between 0 and 1", "1.5"]),
    ({"validation": 1}, ArgumentError, ["fraction", "between 0 and 1", "1"]),
    ({"validation": (X,)}, ArgumentError, ["validation must be a share of the rows or a pair", "tuple"]),
    ({"validation": "half"}, ArgumentError, ["validation must be a share of the rows or a pair", "str"]),
    ({"validation": (X, Y[:-1])}, ShapeError, ["validation y", "validation x, 20, got 19"]),
    ({"early_stopping": 3}, ArgumentError, ["early_stopping needs validation"]),
    ({"early_stopping": 0, "validation": 0.5}, ArgumentError, ["patience", "at least 1"]),
    ({"resume": "/nowhere"}, MinibnError, ["no checkpoint at /nowhere"]),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "error", "fragments"), WRONG_CALLS)
def test_wrong_call_changes_nothing(changed, error, fragments):
    model = network()
    before = states(model)
    refuses(lambda: fit(model, **{"x": X, "y": Y, **changed}), fragments, error)
    assert states(model) == before


@pytest.mark.parametrize(("model", "got"), [("x", "str"), (None, "NoneType"), (nn.Sequential, "Sequential")])
@pytest.mark.parametrize("train", [fit, lambda *arguments: list(epochs(*arguments))])
def test_what_is_no_model_is_named(train, model, got):
    refuses(lambda: train(model, X, Y), [f"model must be a minibn.nn.Sequential, got {got}"], DtypeError)


def test_a_model_without_parameters_is_refused():
    refuses(
        lambda: fit(nn.Sequential(nn.ReLU()), X, Y), ["model must have parameters to train"], ArgumentError
    )


def test_values_are_looked_at_block_by_block(monkeypatch):
    monkeypatch.setattr(blocks, "ELEMENTS", 8)
    refuses(lambda: fit(network(), spoiled(np.nan, 19, 3), Y), ["x[19, 3] is nan"], DataError)


def test_what_overflows_float32_trains_in_float64():
    history = fit(network(dtype=np.float64), spoiled(1e39, dtype=np.float64), Y, epochs=1)
    assert np.isfinite(history[0].train_loss)


# memory


@pytest.mark.parametrize(
    ("make", "slots"), [(lambda: SGD(0.1), 0), (lambda: SGD(0.1, 0.9), 1), (lambda: Adam(), 2)]
)
@pytest.mark.parametrize("bn", [True, False])
def test_the_memory_estimate_counts_what_a_run_holds(make, slots, bn):
    sizes, optimizer = [30, 400, 300, 5], make()
    model = nn.mlp(sizes, bn=bn)
    x, y = blobs(64, 30, 5)
    fit(model, x, y, optimizer=optimizer, epochs=1)
    parameters = [tensor.data for tensor in model.parameters().values()]
    held = 2 * sum(array.nbytes for array in parameters)  # weights and gradients
    held += sum(array.nbytes for state in optimizer.state.values() for array in state.values())
    activations = 4 * 64 * (400 + 400)  # input and output of a layer within the widest part
    estimate = training_bytes(sizes, 64, slots)
    assert held + activations <= estimate <= 1.1 * (held + activations) + 2 * LAYER_BYTES
    assert len(optimizer.slots) == slots


def test_a_network_too_large_for_the_machine_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 8_000_000)
    prepare(Settings(hidden=(300,)))
    refuses(
        lambda: prepare(Settings(hidden=(30_000,))),
        ["hidden: training this network takes at least", "0.008 GB"],
    )
    monkeypatch.setattr(memory, "machine_bytes", lambda: None)
    prepare(Settings(hidden=(30_000,)))


def test_the_memory_of_this_machine():
    pages = pytest.importorskip("resource").getpagesize()
    assert machine_bytes() is None or (machine_bytes() > 100_000_000 and machine_bytes() % pages == 0)


# settings

WRONG_SETTINGS = [
    ({"activation": "gelu"}, ["activation", "relu", "'gelu'"]), ({"optimizer": "lbfgs"}, ["optimizer", "'lbfgs'"]),
    ({"scale": "minmax"}, ["scale", "standard, none", "'minmax'"]), ({"class_weight": "odd"}, ["class_weight", "'odd'"]),
    ({"epochs": 0}, ["epochs", "got 0"]), ({"batch_size": 1}, ["batch_size", "got 1"]), ({"seed": -1}, ["seed", "got -1"]),
    ({"lr": -1.0}, ["lr", "got -1.0"]), ({"momentum": 2.0}, ["momentum", "got 2.0"]),
    ({"bn_momentum": -0.1}, ["bn_momentum", "got -0.1"]), ({"init_scale": np.inf}, ["init_scale", "got inf"]),
    ({"optimizer": "adam", "momentum": 0.9}, ["momentum belongs to sgd", "0.9"]),
    ({"early_stopping": 0}, ["early_stopping", "got 0"]), ({"val_fraction": 1.0}, ["val_fraction", "got 1.0"]),
    ({"depth": 100_001}, ["depth must be at most 100000", "got 100001"]), ({"bn": "yes"}, ["bn must be True or False", "'yes'"]),
    ({"shift_inputs": 1e39}, ["shift_inputs", "got 1e+39"]),
    ({"hidden": (4, 0)}, ["hidden", "got 0"]), ({"hidden": (4, 3), "depth": 1}, ["depth", "2", "got 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "fragments"), WRONG_SETTINGS)
def test_wrong_setting(changed, fragments):
    refuses(lambda: Settings(**changed).resolved(), fragments)


DEFAULTS = [
    (Settings(), {"hidden": (10,), "epochs": 5, "lr": 0.01, "scale": "none"}),
    (Settings(data="wine"), {"hidden": (64,), "epochs": 20, "lr": 0.1, "scale": "standard"}),
    (Settings(optimizer="adam"), {"lr": 0.001}),
    (Settings(hidden=(8, 4), depth=4), {"hidden": (8, 4, 4, 4), "depth": None}),
    (Settings(lr=0.0, epochs=7), {"lr": 0.0, "epochs": 7}),
]


@pytest.mark.parametrize(("given", "expected"), DEFAULTS, ids=str)
def test_defaults_depend_on_the_data(given, expected):
    resolved = given.resolved()
    assert {name: getattr(resolved, name) for name in expected} == expected
    assert Settings.from_dict(resolved.to_dict()) == resolved == resolved.resolved()
