"""The program on CUDA against the program on the CPU: one step, ragged batches, failures, the same bits again."""

import copy

import numpy as np
import pytest

from minibn.errors import ArgumentError, DtypeError, ProgramError, ShapeError
from minibn.nn import BatchNorm, Dense, Sequential, SoftmaxCrossEntropy, SquaredError, mlp
from minibn.program import Program, capture
from minibn.train import SGD, Adam

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((17, 5)).astype(np.float32), RNG.integers(0, 3, 17)
ORDER, BATCH = RNG.permutation(17), 8  # 8 and 9 rows: the last row joins the batch before it
WEIGHT = RNG.integers(0, 3, 17).astype(float)
EXECUTORS = ("persistent", "stream")
NETWORKS = {
    "fused": {"bn": True},
    "plain": {"bn": False},
    "tanh": {"bn": True, "activation": "tanh"},
    "sigmoid": {"bn": False, "activation": "sigmoid"},
    "cumulative": {"bn": True, "bn_momentum": None, "activation": "tanh"},
}
OPTIMIZERS = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, 0.9, weight_decay=0.01),
    "nesterov": lambda: SGD(0.1, 0.9, nesterov=True, weight_decay=0.01, decay_all=True),
    "adam": lambda: Adam(0.01, weight_decay=0.01),
}
executors = pytest.mark.parametrize("executor", EXECUTORS)


def network(**options):
    return mlp([5, 4, 3, 3], rng=1, **options)


def programs(model, executor, loss=None, optimizer=OPTIMIZERS["sgd"], rows=BATCH + 1, weighted=False):
    """Return the programs of a model on the CPU and of a copy of it on CUDA."""
    twin, loss = copy.deepcopy(model), loss or SoftmaxCrossEntropy()
    ours = capture(model, loss, optimizer(), rows, weighted)
    theirs = capture(twin, loss, optimizer(), rows, weighted, device="cuda")
    theirs.executor = executor
    return ours, theirs


def close(found, wanted, name=""):
    """Compare to 1e-5 of the largest entry."""
    scale = max(np.abs(wanted).max(initial=0), 1e-2)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * scale, err_msg=name)


def compare(ours, theirs):
    """Compare parameters, statistics, optimizer state, and the gradients of the last batch."""
    wanted, found = ours.model.state_dict(), theirs.model.state_dict()
    for name, value in wanted.items():
        close(found[name], value, name)
    theirs.fetch()
    for part in ("parameters", "slots"):
        for name, span in getattr(ours.lines, part).items():
            close(span.view(theirs.arena), span.view(ours.arena), str(name))
    spans = [s for s in ours.lines.arena.spans if s.name[2:] in ours.lines.parameters]
    gradients = [np.concatenate([s.view(p.arena).ravel() for s in spans]) for p in (theirs, ours)]
    close(*gradients, "gradients")  # that of a bias in front of a batch norm is 0 but for rounding
    assert (ours.counts == theirs.counts).all()


def play(program, x=X, y=Y, order=ORDER, batch=BATCH, **options):
    return program.run_epoch(x, y, order, batch, **options)


def same_results(found, wanted):
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=1e-5)
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=1e-6)
    if wanted.correct is not None:
        np.testing.assert_allclose(found.correct, wanted.correct, rtol=1e-6)
    np.testing.assert_allclose(found.mean_loss, wanted.mean_loss, rtol=1e-5)
    assert (found.failed_step, found.rows) == (wanted.failed_step, wanted.rows)


@executors
@pytest.mark.parametrize(
    ("name", "optimizer", "weight"),
    [("fused", "sgd", None), ("fused", "adam", np.array([1.0, 2.0, 3.0])), ("plain", "nesterov", None),
     ("tanh", "momentum", np.array([0.5, 1.0, 0.0])), ("sigmoid", "sgd", None), ("cumulative", "adam", None)],
)  # fmt: skip
def test_an_epoch_equals_that_of_the_cpu(name, optimizer, weight, executor):
    ours, theirs = programs(
        network(**NETWORKS[name]), executor, SoftmaxCrossEntropy(weight), OPTIMIZERS[optimizer]
    )
    wanted, found = play(ours), play(theirs)
    same_results(found, wanted)
    compare(ours, theirs)


@executors
@pytest.mark.parametrize("name", ["fused", "tanh"])
def test_rows_with_weights(name, executor):
    ours, theirs = programs(network(**NETWORKS[name]), executor, weighted=True)
    same_results(
        play(theirs, sample_weight=WEIGHT),
        play(ours, sample_weight=WEIGHT),
    )
    compare(ours, theirs)
    same_results(
        theirs.evaluate(X, Y, np.arange(5), WEIGHT),
        ours.evaluate(X, Y, np.arange(5), WEIGHT),
    )


@executors
@pytest.mark.parametrize("weighted", [False, True])
def test_a_regression(executor, weighted):
    model = Sequential(Dense(5, 3, rng=0), BatchNorm(3), Dense(3, 2, rng=1))
    ours, theirs = programs(model, executor, SquaredError(), weighted=weighted)
    targets, weight = X[:, :2] * 2, WEIGHT if weighted else None
    wanted, found = (play(p, y=targets, sample_weight=weight) for p in (ours, theirs))
    same_results(found, wanted)
    compare(ours, theirs)


@executors
def test_evaluation_and_prediction(executor):
    ours, theirs = programs(network(), executor)
    play(ours)
    play(theirs)
    same_results(theirs.evaluate(X, Y, np.array([3, 1, 2])), ours.evaluate(X, Y, np.array([3, 1, 2])))
    close(theirs.logits(X), ours.logits(X))
    assert (theirs.predict(X) == ours.predict(X)).all()


@executors
def test_frozen_batch_norm_and_fixed_parameters(executor):
    model = network()
    model.layers[1].frozen = True
    for tensor in model.layers[0].parameters().values():
        tensor.requires_grad = False
    ours, theirs = programs(model, executor)
    same_results(play(theirs), play(ours))
    compare(ours, theirs)


@executors
def test_batches_of_two_rows(executor):
    """Of two values per channel the terms of the gradient cancel to eps / var of them."""
    ours, theirs = programs(network(), executor, rows=3)
    same_results(play(theirs, order=ORDER[:4], batch=2), play(ours, order=ORDER[:4], batch=2))
    compare(ours, theirs)


@executors
def test_a_rate_for_every_step(executor):
    ours, theirs = programs(network(), executor)
    rates = np.array([0.5, 0.01])
    same_results(play(theirs, learning_rates=rates), play(ours, learning_rates=rates))
    compare(ours, theirs)


@executors
@pytest.mark.parametrize("batch", [3, 8])
def test_several_epochs_in_one_call(executor, batch):
    """Of 17 rows each: batches of 3 leave 2, and batches of 8 leave 1, which joins."""
    ours, theirs = programs(network(), executor, optimizer=lambda: SGD(1e-4))  # far from chaos
    order = np.concatenate([ORDER, ORDER[::-1], ORDER])
    found, wanted = (play(p, order=order, batch=batch, epochs=3) for p in (theirs, ours))
    same_results(found, wanted)
    compare(ours, theirs)


@executors
def test_any_dtype_of_data(executor):
    ours, theirs = programs(network(), executor)
    x = np.asfortranarray((X * 100).astype(np.int16))
    same_results(play(theirs, x=x), play(ours, x=x))


@executors
def test_a_mean_far_from_zero(executor):
    """The running mean keeps its digits, and the variance is right at mean / deviation = 1e4."""
    ours, theirs = programs(Sequential(BatchNorm(5), Dense(5, 3, rng=0)), executor)
    x = X + np.float32(1e4)
    same_results(play(theirs, x=x), play(ours, x=x))
    for key, tolerance in (("running_mean", 5e-8), ("running_var", 1e-6)):
        layers = ours.model.layers[0], theirs.model.layers[0]
        wanted, found = (getattr(layer, key) for layer in layers)
        np.testing.assert_allclose(found, wanted, rtol=tolerance)


@executors
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_the_step_that_fails_updates_nothing(executor):
    """Row 3 of the second batch is infinite: that batch is tracked as skipped, and nothing moves from there on."""
    x, order = X.copy(), np.arange(17)
    x[10, 2] = np.inf
    with np.errstate(invalid="ignore"):
        ours, theirs = programs(network(), executor, optimizer=OPTIMIZERS["momentum"], rows=5)
        with pytest.warns(RuntimeWarning, match="skipped"):
            wanted = play(ours, x=x, order=order, batch=4)
        with pytest.warns(RuntimeWarning, match="skipped"):
            found = play(theirs, x=x, order=order, batch=4)
    assert found.failed_step == wanted.failed_step == 2
    assert not np.isfinite(found.losses[-1])
    np.testing.assert_allclose(found.losses[:2], wanted.losses[:2], rtol=1e-5)
    for name, value in ours.model.state_dict().items():
        close(theirs.model.state_dict()[name], value, name)
    assert (ours.counts == theirs.counts).all()
    assert theirs.optimizer.steps == 2


@executors
def test_the_same_bits_again(executor):
    """Whatever lies in the memory of activations before: only what was written is read."""
    results = []
    for poison in (0, np.nan):
        theirs = programs(network(), executor)[1]
        theirs.memory.values[theirs.memory.saved : theirs.arena.size].copy_to_device(
            np.full(theirs.arena.size - theirs.memory.saved, poison, np.float32)
        )
        results.append((play(theirs).losses, play(theirs).losses, theirs.logits(X)))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


@executors
def test_warming_up_trains_nothing(executor):
    ours, theirs = programs(network(), executor, optimizer=OPTIMIZERS["momentum"])
    before = {name: value.copy() for name, value in theirs.model.state_dict().items()}
    theirs.warm(X, np.full(17, -1))
    for name, value in theirs.model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert not theirs.counts.any() and not theirs.optimizer.steps
    same_results(play(theirs), play(ours))
    compare(ours, theirs)


def test_both_executors_share_the_memory():
    theirs = programs(network(), "stream")[1]
    play(theirs)
    theirs.executor = "persistent"
    wanted = programs(network(), "stream")[0]
    play(wanted)
    same_results(play(theirs), play(wanted))


def test_the_size_of_the_model_chooses():
    small = capture(network(), SoftmaxCrossEntropy(), SGD(0.1), 33, device="cuda")
    large = capture(mlp([784, 100, 10], rng=0), SoftmaxCrossEntropy(), SGD(0.1), 129, device="cuda")
    assert (small.executor, large.executor) == ("persistent", "stream")
    large.executor = "gpu"
    with pytest.raises(ArgumentError, match="executor must be one of persistent, stream, got 'gpu'"):
        large.logits(np.zeros((2, 784), np.float32))


def test_data_are_copied_once_until_forgotten():
    theirs = programs(network(), "persistent")[1]
    x = X.copy()
    before = theirs.evaluate(x, Y).mean_loss
    x[...] = 0
    assert theirs.evaluate(x, Y).mean_loss == before
    theirs.forget_data()
    assert theirs.evaluate(x, Y).mean_loss != before


def test_it_is_a_program():
    ours, theirs = programs(network(), "persistent")
    assert isinstance(theirs, Program)
    assert str(theirs) == str(ours)
    newer = capture(theirs.model, SoftmaxCrossEntropy(), SGD(0.1), BATCH + 1)
    with pytest.raises(ProgramError, match="captured again"):
        play(theirs)
    play(newer)


def test_refusals():
    with pytest.raises(DtypeError, match="model must be float32 on CUDA, got float64; .*device='cpu'"):
        capture(network(dtype=np.float64), SoftmaxCrossEntropy(), SGD(0.1), 9, device="cuda")
    theirs = programs(network(), "persistent")[1]
    with pytest.raises(ShapeError, match="order must hold row indices"):
        play(theirs, order=np.array([0, 99]))
    with pytest.raises(ArgumentError, match=r"y must lie in \[0, 3\)"):
        play(theirs, y=np.full(17, 5))
    with pytest.raises(ProgramError, match="no sample_weight"):
        play(theirs, sample_weight=WEIGHT)
