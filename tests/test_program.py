"""The compiled program against the tape: the same step, the same epochs, the same refusals."""

import copy
import tracemalloc
import warnings

import numba
import numpy as np
import pytest
from cases import needs_jit
from numba.core.runtime import _nrt_python, rtsys

from minibn.errors import ArgumentError, NonFiniteLossError, ProgramError, ShapeError
from minibn.nn import BatchNorm, Dense, ReLU, Sequential, SoftmaxCrossEntropy, mlp
from minibn.nn.layer import Layer
from minibn.program import capture
from minibn.program.executor import _is_first_largest
from minibn.train import SGD, Adam, fit, step
from minibn.train.batches import batch_bounds, epoch_order

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((97, 6)), RNG.integers(0, 3, 97)
OPTIMIZERS = {
    "sgd": lambda: SGD(0.1),
    "nesterov": lambda: SGD(0.1, 0.9, nesterov=True, weight_decay=0.01),
    "decay all": lambda: SGD(0.1, weight_decay=0.01, decay_all=True),
    "adam": lambda: Adam(0.01, weight_decay=0.01),
}
NETWORKS = {
    "fused": {"bn": True},
    "plain": {"bn": False},
    "tanh": {"bn": True, "activation": "tanh"},
    "sigmoid": {"bn": False, "activation": "sigmoid"},
    "cumulative": {"bn": True, "bn_momentum": None, "activation": "tanh"},
}


def network(dtype=np.float64, **options):
    return mlp([6, 5, 4, 3], dtype=dtype, rng=1, **options)


def play_eager(model, loss, optimizer, epochs, batch_size=32):
    dtype = model.dtype
    losses = []
    for epoch in range(1, epochs + 1):
        order = epoch_order(len(X), 0, epoch)
        for low, high in batch_bounds(len(X), batch_size):
            rows = order[low:high]
            losses.append(step(model, loss, optimizer, X[rows].astype(dtype), Y[rows]).loss)
    return losses


def play_program(model, loss, optimizer, epochs, batch_size=32):
    program = capture(model, loss, optimizer, batch_size + 1)
    x, losses = X.astype(model.dtype), []
    for epoch in range(1, epochs + 1):
        losses += program.run_epoch(x, Y, epoch_order(len(X), 0, epoch), batch_size).losses.tolist()
    return losses


@pytest.mark.parametrize("batch_size", [32, 40, 97, 200])
def test_several_epochs_in_one_call_equal_one_after_the_other(batch_size):
    """No batch spans two epochs, and a last single row joins the batch before it in each."""
    orders, (once, twice) = [epoch_order(len(X), 0, epoch) for epoch in (1, 2, 3)], (network(), network())
    x, loss = X.astype(once.dtype), SoftmaxCrossEntropy()
    programs = [capture(model, loss, SGD(0.1, 0.9), batch_size + 1) for model in (once, twice)]
    expected = [programs[0].run_epoch(x, Y, order, batch_size) for order in orders]
    found = programs[1].run_epoch(x, Y, np.concatenate(orders), batch_size, epochs=3)
    assert found.losses.tolist() == [loss for one in expected for loss in one.losses]
    assert found.accuracy == pytest.approx(np.mean([one.accuracy for one in expected]))
    assert found.mean_loss == pytest.approx(np.mean([one.mean_loss for one in expected]))
    for key, value in once.state_dict().items():
        np.testing.assert_array_equal(twice.state_dict()[key], value)


def test_the_mean_loss_is_that_of_all_batches_up_to_the_last():
    program = capture(network(dtype=np.float32), SoftmaxCrossEntropy(), SGD(1e20), 17)
    order = np.tile(np.arange(len(X)), 3)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diverged = program.run_epoch(X.astype(np.float32), Y, order, 16, epochs=3)
    assert diverged.failed_step is not None and np.isnan(diverged.mean_loss)
    for epochs in (1, 3):
        program = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 17)
        found = program.run_epoch(X, Y, order[: epochs * len(X)], 16, epochs=epochs)
        total = (found.losses * found.weights).sum()
        assert found.mean_loss == pytest.approx(total / found.weights.sum(), rel=1e-12)


def test_nothing_is_lost_on_no_rows():
    found = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 17).evaluate(X[:0], Y[:0])
    assert not found.losses.size and not found.correct.size and tuple(found.sums) == (0, 0)


def test_rows_right_are_those_whose_first_largest_entry_stands_at_the_label():
    """Ties and NaN count as in NumPy's argmax."""
    values = np.array([-np.inf, -1.0, 0.0, 0.0, 2.0, np.nan])
    rows = values[np.random.default_rng(0).integers(len(values), size=(200, 3))]
    found = [[_is_first_largest(row, label) for label in range(3)] for row in rows]
    np.testing.assert_array_equal(found, rows.argmax(axis=1)[:, None] == np.arange(3))


def test_labels_of_rows_that_are_not_played_may_be_anything():
    labels, model = Y.copy(), network()
    labels[90:] = -1
    program = capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    assert program.run_epoch(X, labels, np.arange(90), 32).rows == 90
    assert program.run_epoch(X, labels, np.tile(np.arange(90), 2), 32).rows == 180  # more rows than labels
    with pytest.raises(ArgumentError, match="y"):
        program.run_epoch(X, labels, np.tile(np.arange(91), 2), 32)


def test_epochs_of_unequal_length_are_refused():
    program = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33)
    with pytest.raises(ShapeError, match="2 epochs of equal length, got 97 rows"):
        program.run_epoch(X, Y, np.arange(97), 32, epochs=2)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 3.0])], ids=["even", "weighted"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_program_equals_eager(name, optimizer, weight):
    """97 rows in batches of 32: the last row joins the batch before it."""
    loss, eager, compiled = SoftmaxCrossEntropy(weight), network(**NETWORKS[name]), network(**NETWORKS[name])
    ours = play_program(compiled, loss, OPTIMIZERS[optimizer](), 3)
    theirs = play_eager(eager, loss, OPTIMIZERS[optimizer](), 3)
    assert ours == pytest.approx(theirs, rel=1e-9)
    if name != "fused":
        assert ours == theirs
    for key, value in eager.state_dict().items():
        np.testing.assert_allclose(compiled.state_dict()[key], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_in_float32(name):
    loss, eager = SoftmaxCrossEntropy(), network(np.float32, **NETWORKS[name])
    compiled = copy.deepcopy(eager)
    program = capture(compiled, loss, SGD(0.1), 97)
    program.run_epoch(X.astype(np.float32), Y, np.arange(97), 97)
    step(eager, loss, SGD(0.1), X.astype(np.float32), Y)
    for key, value in eager.state_dict().items():
        assert np.abs(compiled.state_dict()[key] - value).max() <= 1e-6 * max(np.abs(value).max(), 1e-6)


def test_regression():
    targets = X[:, :1] * 2 - X[:, 1:2]
    eager, compiled = (
        Sequential(Dense(6, 4, rng=0, dtype=np.float64), ReLU(), Dense(4, 1, rng=1, dtype=np.float64))
        for _ in "ab"
    )
    history = [
        fit(m, X, targets, loss="squared_error", engine=e)
        for m, e in ((eager, "eager"), (compiled, "program"))
    ]
    assert history[0].records == history[1].records


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_gives_the_same_history(optimizer):
    options = {"epochs": 4, "validation": 0.3, "early_stopping": 3, "class_weight": "balanced"}
    models = [network(activation="tanh") for _ in "ab"]
    eager, compiled = (
        fit(model, X, Y, optimizer=OPTIMIZERS[optimizer](), engine=engine, **options)
        for model, engine in zip(models, ("eager", "program"), strict=True)
    )
    assert eager.records == compiled.records
    assert eager.best_epoch == compiled.best_epoch
    assert (models[0].logits(X) == models[1].logits(X)).all()


def test_resume_with_the_program_is_bit_for_bit(tmp_path):
    whole, parts, resumed = (network() for _ in range(3))
    options = {"optimizer": SGD(0.1, 0.9), "validation": 0.3, "engine": "program"}
    expected = fit(whole, X, Y, epochs=5, **options)
    fit(parts, X, Y, epochs=2, checkpoint=tmp_path, **options)
    assert fit(resumed, X, Y, epochs=5, resume=tmp_path, **options).records == expected.records
    assert (resumed.logits(X) == whole.logits(X)).all()


def test_capture_changes_nothing():
    model, optimizer = network(), SGD(0.1, 0.9)
    play_eager(model, SoftmaxCrossEntropy(), optimizer, 1)
    before, moved = model.state_dict(), {k: v.copy() for k, v in optimizer.state["velocity"].items()}
    capture(model, SoftmaxCrossEntropy(), optimizer, 33)
    after = model.state_dict()
    assert all((before[key] == after[key]).all() for key in before)
    assert all((moved[key] == optimizer.state["velocity"][key]).all() for key in moved)


def test_what_trains_is_what_the_model_holds():
    model = network()
    program = capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    assert all(np.shares_memory(t.data, program.arena) for t in model.parameters().values())
    before = model.logits(X)
    program.run_epoch(X, Y, np.arange(97), 32)
    assert (model.logits(X) != before).any()
    assert (model.logits(X) == program.logits(X)).all()
    assert int(model.layers[1].num_batches_tracked) == 3


def test_a_program_refuses_to_run_for_a_model_that_was_captured_again():
    model = network()
    old = capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    with pytest.raises(ProgramError, match="captured again"):
        old.run_epoch(X, Y, np.arange(97), 32)


@pytest.mark.parametrize(
    ("arguments", "error", "fragment"),
    [
        ((X, Y, np.arange(97), 40), ProgramError, "max_batch 33"),
        ((X[:, :5], Y, np.arange(97), 32), ShapeError, r"\(N, 6\)"),
        ((X, Y, np.arange(98), 32), ShapeError, r"\[0, 97\)"),
        ((X, Y - 1, np.arange(97), 32), ArgumentError, r"\[0, 3\)"),
    ],
)
def test_wrong_arguments_never_reach_the_compiled_call(arguments, error, fragment):
    program = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33)
    with pytest.raises(error, match=fragment):
        program.run_epoch(*arguments)


def test_a_non_finite_step_is_found_and_updates_nothing():
    x = X.copy()
    x[40] = np.nan
    model = network(bn=False)
    program = capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    result = program.run_epoch(x, Y, np.arange(97), 32)
    assert result.failed_step == 1
    assert len(result.losses) == 2
    assert all(np.isfinite(value).all() for value in model.state_dict().values())
    broken = network(bn=False)
    broken.layers[0].weight.data[:] = np.nan
    with pytest.raises(NonFiniteLossError, match="epoch 1, step 1"):
        fit(broken, X, Y, engine="program", batch_size=57)


def test_batches_with_a_non_finite_statistic_are_skipped_and_counted():
    x = X.copy()
    x[:, 0] = np.inf
    model = network()
    program = capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="not finite"):
        program.run_epoch(x, Y, np.arange(97), 32)
    assert model.layers[1].num_batches_skipped == 1
    assert (model.layers[1].running_mean == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_other_dtypes_and_memory_maps(tmp_path, dtype):
    x = (RNG.random((97, 6)) * 10).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    results = []
    for source in (mapped, x.astype(np.float64)):
        program = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33)
        results.append(program.run_epoch(source, Y, np.arange(97), 32).losses.tolist())
    assert results[0] == results[1]


class Doubled(Layer):
    """A layer of an operation that the executor does not know."""

    def __call__(self, x, training=None):
        return x * 2.0


@needs_jit
@pytest.mark.parametrize("engine", ["program", "eager"])
def test_a_memory_map_is_never_loaded(tmp_path, engine):
    """Rows are read as they are needed; what is kept of 16 MB is less than a tenth."""
    x = RNG.integers(0, 255, (40_000, 400), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    y, mapped = RNG.integers(0, 3, len(x)), np.load(tmp_path / "x.npy", mmap_mode="r")
    model = mlp([400, 4, 3], rng=0)
    fit(model, mapped[:99], y[:99], epochs=1, engine=engine)  # compiles, which allocates
    tracemalloc.start()
    try:
        fit(model, mapped, y, epochs=1, batch_size=256, validation=0.2, engine=engine)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < x.nbytes / 4


@needs_jit
def test_steps_allocate_nothing():
    """What a call allocates, to pass its arrays, does not depend on how many steps it plays."""
    program = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33)
    _nrt_python.memsys_enable_stats()

    def allocations(batch_size):
        before = rtsys.get_allocation_stats()
        program.run_epoch(X, Y, np.arange(96), batch_size)
        after = rtsys.get_allocation_stats()
        return after.alloc - before.alloc, after.mi_alloc - before.mi_alloc

    allocations(32)
    assert allocations(2) == allocations(32)


@needs_jit
def test_the_executor_is_compiled_once_for_every_architecture_and_dtype_of_data():
    from minibn.program.executor import play

    for sizes in ([6, 3], [6, 7, 3], [6, 4, 4, 3]):
        for dtype in (np.float32, np.float64, np.uint8, bool):
            for data in (X.astype(dtype), np.asfortranarray(X.astype(dtype))):
                program = capture(mlp(sizes, rng=0), SoftmaxCrossEntropy(), SGD(0.1), 33)
                program.run_epoch(data, Y, np.arange(97), 32)
    locked = Y.copy()
    locked.setflags(write=False)
    order = np.arange(97)
    order.setflags(write=False)
    program.run_epoch(X, locked, order, 32)
    assert len([s for s in play.signatures if s[4].dtype == numba.float32]) == 1


def test_without_an_instruction_fit_runs_eagerly_and_says_so_once():
    model = Sequential(Dense(6, 4, rng=0), Doubled(), Dense(4, 3, rng=1))
    with pytest.raises(ProgramError, match="op 'mul' has no instruction"):
        capture(model, SoftmaxCrossEntropy(), SGD(0.1), 33)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, X, Y, epochs=2, engine="program")
    assert len([w for w in caught if "step by step" in str(w.message)]) == 1


def frozen(layers):
    """Return a network with a frozen batch norm, whose running statistics are not the initial ones."""
    model = Sequential(*layers)
    norm = next(layer for layer in layers if isinstance(layer, BatchNorm))
    norm.running_mean[...], norm.running_var[...] = 0.3, 2.0
    norm.gamma.data[...] = 1.5
    norm.freeze()
    return model


def dense(*shape, seed=0):
    return Dense(*shape, rng=seed, dtype=np.float64)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [dense(6, 4), BatchNorm(4, dtype=np.float64), ReLU(), dense(4, 3, seed=1)],
        lambda: [BatchNorm(6, dtype=np.float64), ReLU(), dense(6, 4), ReLU(), dense(4, 3, seed=1)],
    ],
    ids=["inside", "first"],
)
def test_frozen_batch_norm(layers):
    models = [frozen(layers()) for _ in "ab"]
    kept = {k: v for k, v in models[0].state_dict().items() if "running" in k}
    options = {"optimizer": SGD(0.1, 0.9, weight_decay=0.01, decay_all=True), "epochs": 3}
    eager, compiled = (
        fit(m, X, Y, engine=e, **options) for m, e in zip(models, ("eager", "program"), strict=True)
    )
    assert eager.records == compiled.records
    for key, value in kept.items():
        assert (models[1].state_dict()[key] == value).all()
    assert all((models[1].state_dict()[k] == v).all() for k, v in models[0].state_dict().items())


@pytest.mark.parametrize("first", [ReLU, lambda: BatchNorm(6, dtype=np.float64)], ids=["relu", "batch norm"])
def test_a_network_may_begin_with_any_layer(first):
    models = [Sequential(first(), dense(6, 3)) for _ in "ab"]
    histories = [fit(m, X, Y, engine=e) for m, e in zip(models, ("eager", "program"), strict=True)]
    assert histories[0].records == histories[1].records


def test_one_learning_rate_per_step():
    models, x = [network(activation="tanh") for _ in "ab"], X
    program = capture(models[0], SoftmaxCrossEntropy(), SGD(0.1), 33)
    program.run_epoch(x, Y, np.arange(97), 32, learning_rates=[0.1, 0.2, 0.3])
    optimizer = SGD(0.1)
    for rate, (low, high) in zip((0.1, 0.2, 0.3), batch_bounds(97, 32), strict=True):
        optimizer.learning_rate = rate
        step(models[1], SoftmaxCrossEntropy(), optimizer, x[low:high], Y[low:high])
    assert (models[0].logits(x) == models[1].logits(x)).all()


def test_an_unknown_engine():
    with pytest.raises(ArgumentError, match="'program' or 'eager'"):
        fit(network(), X, Y, engine="fast")


def test_a_program_prints_its_lines():
    text = str(capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33))
    for fragment in (
        "NORMALIZE_RELU",
        "weight=0.weight[6x5]",
        "x=input[33x6]",
        "SGD_UPDATE",
        "evaluation",
    ):
        assert fragment in text
    assert next(line for line in text.splitlines() if "DENSE_FORWARD" in line).split()[1:3] == [
        "3,144",
        "bytes",
    ]


def test_affine_free_batch_norm():
    def build():
        layers = (
            Dense(6, 4, rng=0, dtype=np.float64),
            BatchNorm(4, affine=False, dtype=np.float64),
            Dense(4, 3, rng=1, dtype=np.float64),
        )
        return Sequential(*layers)

    models = build(), build()
    histories = [fit(m, X, Y, engine=e) for m, e in zip(models, ("eager", "program"), strict=True)]
    assert histories[0].records == histories[1].records
