"""Several epochs in one compiled call: the same bits as one epoch a call, whatever the run, and whatever ends it."""

import signal
import time
import warnings

import numpy as np
import pytest
from cases import needs_jit

from minibn.errors import ArgumentError, NonFiniteLossError
from minibn.nn import BatchNorm, Dense, ReLU, Sequential, mlp
from minibn.program import Program
from minibn.train import SGD, Adam, batches, engines, epochs, fit
from minibn.train.batches import epoch_order, epoch_orders

RNG = np.random.default_rng(5)
ROWS = 65
X = RNG.standard_normal((ROWS, 4))
Y, T = np.arange(ROWS) % 3, RNG.standard_normal((ROWS, 3))
HELD = np.round(RNG.standard_normal((21, 4)) * 20).clip(0, 255).astype(np.uint8)
UNEVEN = RNG.uniform(0.1, 2.0, ROWS)
SOME = np.where(np.arange(ROWS) % 5, UNEVEN, 0.0)


def nothing(model, record):
    """A callback that stands between epochs, so that each is played by itself."""


def network(dtype, momentum=0.1):
    layers = Dense(4, 6, rng=0, dtype=dtype), BatchNorm(6, momentum=momentum, dtype=dtype)
    return Sequential(*layers, ReLU(), Dense(6, 3, rng=1, dtype=dtype))


def both(y, dtype=np.float64, momentum=0.1, x=X, **options):
    """Train at once and epoch by epoch; return history, state and optimizer of each."""
    loss = "softmax_cross_entropy" if y.ndim == 1 else "squared_error"
    found = []
    for between in ({}, {"callbacks": [nothing]}):
        model, optimizer = network(dtype, momentum), options.get("optimizer", lambda: SGD(0.1, 0.9))()
        given = {"epochs": 7, "batch_size": 16, "seed": 3, "loss": loss} | options | {"optimizer": optimizer}
        history = fit(model, x, y, **given, **between)
        found.append((history, model.state_dict(), optimizer))
    return found


def assert_same(ours, theirs):
    assert ours[0] == theirs[0]
    assert all(a.tobytes() == ours[1][name].tobytes() for name, a in theirs[1].items())
    assert ours[2].steps == theirs[2].steps
    for slot, arrays in theirs[2].state.items():
        assert all(a.tobytes() == ours[2].state[slot][name].tobytes() for name, a in arrays.items())


CASES = {
    "plain": (Y, {}),
    "float32": (Y, {"dtype": np.float32}),
    "share": (Y, {"validation": 0.3}),
    "part": (Y, {"validation": (X[:20] + 1, Y[:20])}),
    "part of another dtype": (Y, {"validation": (HELD, Y[:21]), "dtype": np.float32}),
    "part with other labels": (Y, {"validation": (X, (Y + 1) % 3)}),
    "weights": (Y, {"sample_weight": UNEVEN, "validation": 0.3}),
    "weights of 0": (Y, {"sample_weight": SOME}),
    "weighted part": (Y, {"validation": (X[:20], Y[:20], UNEVEN[:20]), "dtype": np.float32}),
    "classes": (Y, {"class_weight": [1.0, 0.5, 2.0], "validation": 0.3, "sample_weight": UNEVEN}),
    "regression": (T, {"validation": 0.3}),
    "regression with a part": (T, {"validation": (X[:9], T[:9]), "sample_weight": UNEVEN}),
    "a part whose loss overflows": (T, {"validation": (X[:9], T[:9] * 1e200)}),
    "ragged": (Y, {"batch_size": 20}),
    "many batches": (Y, {"batch_size": 3, "validation": 0.3, "sample_weight": UNEVEN}),
    "one batch": (Y, {"batch_size": 100}),
    "average": (Y, {"momentum": None, "validation": 0.3}),
    "adam": (Y, {"optimizer": lambda: Adam(0.01, weight_decay=0.1), "validation": 0.3}),
}


@pytest.mark.parametrize("y, options", CASES.values(), ids=CASES)
def test_the_same_bits_as_epoch_by_epoch(y, options):
    assert_same(*both(y, **options))


def test_calls_of_a_few_epochs(monkeypatch):
    """Three, three, and the last one by itself."""
    monkeypatch.setattr(engines, "_MOST_ROWS", 3 * ROWS + 1)
    assert_same(*both(Y, validation=(X[:9], Y[:9])))


def test_what_stands_between_epochs_is_played_between_them(monkeypatch, tmp_path):
    """One call of several epochs only where nobody looks in between."""
    calls, own = [], Program.run_epochs
    monkeypatch.setattr(Program, "run_epochs", lambda p, *a: calls.append(len(a[1])) or own(p, *a))
    options = {"epochs": 4, "validation": 0.3}
    fit(network(np.float32), X, Y, **options)
    assert calls == [4]
    for more in ({"callbacks": [nothing]}, {"checkpoint": tmp_path}, {"early_stopping": 9}):
        fit(network(np.float32), X, Y, **options, **more)
    assert len(list(epochs(network(np.float32), X, Y, **options))) == 4
    assert calls == [4]


def test_a_resumed_run_goes_on_at_once(tmp_path):
    (whole, state, _), _ = both(Y, validation=0.3)
    parts, resumed = network(np.float64), network(np.float64)
    options = {"batch_size": 16, "seed": 3, "validation": 0.3}
    fit(parts, X, Y, optimizer=SGD(0.1, 0.9), epochs=2, checkpoint=tmp_path, **options)
    history = fit(resumed, X, Y, optimizer=SGD(0.1, 0.9), epochs=7, resume=tmp_path, **options)
    assert history == whole
    assert all(a.tobytes() == state[name].tobytes() for name, a in resumed.state_dict().items())


def failures(make, y, x=X, **options):
    """Return the error of a run at once and of one epoch by epoch, and what each left behind."""
    found = []
    for between in ({}, {"callbacks": [nothing]}):
        model, optimizer = make(), options.get("optimizer", lambda: SGD(0.1))()
        given = {"epochs": 5, "loss": "squared_error", "batch_size": 16} | options | {"optimizer": optimizer}
        with warnings.catch_warnings(), pytest.raises(NonFiniteLossError) as caught:
            warnings.simplefilter("ignore")
            fit(model, x, y, **given, **between)
        found.append((caught.value, model.state_dict(), optimizer))
    return found


def linear():
    return Sequential(Dense(4, 3, rng=0, dtype=np.float64))


RATES = {"step": ({}, 1e18), "evaluation": ({"batch_size": 100}, 1e52)}


@pytest.mark.parametrize("options, rate", RATES.values(), ids=RATES)
def test_what_diverges_in_the_third_epoch_ends_there(options, rate):
    """With one batch an epoch, what overflows in its update is first seen by the evaluation behind it."""
    ours, theirs = failures(linear, T, optimizer=lambda: SGD(rate), **options)
    assert str(ours[0]) == str(theirs[0])
    assert "epoch 3, step" in str(ours[0])
    assert ours[0].history == theirs[0].history
    assert [record.epoch for record in ours[0].history] == [1, 2]
    assert_same((None, *ours[1:]), (None, *theirs[1:]))
    assert ours[2].steps in ([3] if options else range(8, 12))


def test_an_evaluation_whose_sum_overflows_ends_the_run_behind_its_epoch():
    """Four blocks of rows have finite losses, whose sum is none."""
    x, y = np.zeros((4096, 4)), np.full((4096, 3), np.sqrt(5e304))
    ours, theirs = failures(linear, y, x, optimizer=lambda: SGD(0.0), batch_size=512)
    assert str(ours[0]) == str(theirs[0])
    assert (len(ours[0].history), ours[2].steps) == (0, 8)
    assert_same((None, *ours[1:]), (None, *theirs[1:]))


def test_a_skipped_batch_is_counted_and_told():
    x, found = X.copy(), []
    x[epoch_order(ROWS, 0, 1)[40], 2] = 1e300
    for between in ({}, {"callbacks": [nothing]}):
        model = Sequential(BatchNorm(4, dtype=np.float64), Dense(4, 3, rng=0, dtype=np.float64))
        with warnings.catch_warnings(record=True) as caught, pytest.raises(NonFiniteLossError) as error:
            warnings.simplefilter("always")
            fit(model, x, Y, epochs=3, **between)
        told = [str(w.message) for w in caught if "num_batches_skipped" in str(w.message)]
        found.append((str(error.value), told, model.layers[0].num_batches_skipped))
    assert found[0] == found[1]
    assert ("epoch 1, step 2" in found[0][0], len(found[0][1]), found[0][2]) == (True, 1, 1)


def test_labels_of_the_validation_part_are_refused_before_anything_is_trained():
    model = network(np.float64)
    before = model.state_dict()
    with pytest.raises(ArgumentError, match=r"y must lie in \[0, 3\), got 3 at row 1"):
        fit(model, X, Y, validation=(X[:2], [0, 3]))
    assert all((before[name] == value).all() for name, value in model.state_dict().items())


@needs_jit
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_an_interrupt_is_answered_between_calls():
    """The calls of a long run are short, and the model can be trained again afterwards."""
    model, x, y = mlp([20, 10, 3], rng=0), np.tile(X, (20, 5)), np.tile(Y, 20)
    fit(model, x, y, epochs=2)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(model, x, y, epochs=10**7)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert time.monotonic() - start < 30
    assert len(fit(model, x, y, epochs=2)) == 2


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 + 9, 2**130 + 5])
@pytest.mark.parametrize("rows", [1, 2, 3, 31, 64, 65, 1000])
def test_orders_drawn_at_once_are_numpys(monkeypatch, rows, seed):
    """Should NumPy change its stream of numbers, this shows it: runs could then no longer be repeated."""
    monkeypatch.setattr(batches, "_DRAWN_HERE", 0)
    found = epoch_orders(rows, seed, 4, 3)
    np.testing.assert_array_equal(found, [epoch_order(rows, seed, epoch) for epoch in (4, 5, 6)])


@needs_jit
def test_long_orders_drawn_at_once_are_numpys():
    for first, rows, epochs_ in ((1, 65_537, 2), (2**32 - 40, 1000, 39), (7, 17, 2000)):
        found = epoch_orders(rows, 12, first, epochs_)
        np.testing.assert_array_equal(found, [epoch_order(rows, 12, first + e) for e in range(epochs_)])


def test_epochs_beyond_32_bits_are_drawn_by_numpy(monkeypatch):
    monkeypatch.setattr(batches, "_DRAWN_HERE", 0)
    found = epoch_orders(9, 0, 2**32 - 1, 3)
    np.testing.assert_array_equal(found, [epoch_order(9, 0, 2**32 + e) for e in (-1, 0, 1)])
