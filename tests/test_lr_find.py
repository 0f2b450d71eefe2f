"""The learning-rate range test."""

import numpy as np
import pytest
from cases import needs_jit

from minibn.errors import ArgumentError, DtypeError
from minibn.lab import StepTrainer, lr_find, run
from minibn.lab.rates.rate_curve import rate_curve
from minibn.nn import mlp
from minibn.train import SGD, Settings, prepare, with_arm

RATES = np.geomspace(1e-4, 100, 300)


def curve(losses, runs=3):
    return rate_curve("with batch norm", RATES, np.tile(losses, (runs, 1)))


def test_a_sigmoid_curve_is_read_where_it_falls_and_climbs():
    decades = np.log10(RATES)
    falling = 2 - 1.8 / (1 + np.exp(-4 * (decades + 2)))  # steepest at 0.01
    found = curve(falling + np.where(RATES > 1, 3 * np.log10(np.maximum(RATES, 1)), 0))
    assert np.log10(found.steepest) == pytest.approx(-2, abs=0.1)
    # From 0.2 it climbs by 3 a decade, and half of the gain of 1.8 is given back 0.3 decades beyond 1.
    assert np.log10(found.largest) == pytest.approx(0.3, abs=0.1)


def test_divergence_ends_the_curve():
    losses = np.where(RATES < 3, 1.5 - 0.3 * np.log10(RATES * 1e4), np.inf)
    found = curve(losses)
    assert 3 / 1.6 < found.largest < 3  # the smoothing reaches over 7 steps on each side
    assert found.steepest < found.largest


def test_a_curve_that_falls_to_the_end_has_no_largest_rate():
    found = curve(1.5 - 0.2 * np.log10(RATES * 1e4))
    assert found.largest is None
    assert found.steepest is not None


@pytest.mark.parametrize(
    "losses", [np.full(300, 1.1), np.linspace(1.1, 1.05, 300), np.geomspace(1.1, 1e9, 300)]
)
def test_nothing_is_suggested_where_nothing_is_learned(losses):
    found = curve(losses)
    assert (found.steepest, found.largest) == (None, None)


def test_half_of_the_runs_decide():
    falling = 1.5 - 0.3 * np.log10(RATES * 1e4)
    broken = np.where(RATES < 0.01, falling, np.inf)
    few = rate_curve("", RATES, np.array([falling, falling, falling, broken, broken]))
    many = rate_curve("", RATES, np.array([falling, falling, broken, broken, broken]))
    assert few.largest is None
    assert many.largest < 0.01


@pytest.mark.parametrize("engine", ["eager", "program"])
def test_each_step_has_its_own_rate(engine):
    """A step at rate r in float64 moves the weights by r times the gradient at rate 1."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 3)).astype(np.float32), np.arange(8) % 2

    def trained(rates):
        model = mlp([3, 4, 2], bn=False, rng=np.random.default_rng(1), dtype=np.float64)
        before = {name: tensor.data.copy() for name, tensor in model.parameters().items()}
        optimizer = SGD(7.0)
        trainer = StepTrainer(model, x, y, optimizer=optimizer, batch_size=8, seed=0, engine=engine)
        trainer.advance(len(rates), np.array(rates))
        assert optimizer.learning_rate == 7.0
        return before, {name: tensor.data.copy() for name, tensor in model.parameters().items()}

    before, small = trained([0.001])
    _, large = trained([0.01])
    for name in before:
        np.testing.assert_allclose(
            large[name] - before[name], 10 * (small[name] - before[name]), rtol=1e-9, atol=1e-15
        )
    _, still = trained([0.001, 0.0, 0.0])
    for name in before:
        np.testing.assert_array_equal(still[name], small[name])


def test_both_engines_agree_on_rising_rates():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((24, 3)).astype(np.float32), np.arange(24) % 2
    losses = []
    for engine in ("eager", "program"):
        model = mlp([3, 4, 2], bn=True, rng=np.random.default_rng(1), dtype=np.float64)
        trainer = StepTrainer(model, x, y, optimizer=SGD(), batch_size=8, seed=0, engine=engine)
        losses.append(trainer.advance(6, np.geomspace(0.01, 1, 6)))
    np.testing.assert_allclose(*losses, rtol=1e-9)


@needs_jit
def test_the_example_gets_sane_rates():
    settings = Settings()
    report = lr_find(settings)
    ours, theirs = report.numbers["with_bn"], report.numbers["without_bn"]
    assert ours["largest"] > 2 * theirs["largest"]
    for bn, found in ((True, ours), (False, theirs)):
        assert 1e-3 < found["suggestion"] < 0.3
        assert 0.3 < found["largest"] < 10
        rate = Settings(lr=found["suggestion"], epochs=10)
        assert run(with_arm(prepare(rate), bn)).accuracy > 0.85
    assert "starting point" in report.statements[-1]
    assert len(report.charts) == 1
    assert report == lr_find(settings)


@needs_jit
@pytest.mark.parametrize("steps", [50, 100, 1000])
def test_the_noise_of_batches_is_no_climb(steps):
    numbers = lr_find(Settings(), steps=steps).numbers
    assert 2 < numbers["with_bn"]["largest"] < 20
    assert 0.5 < numbers["without_bn"]["largest"] < 5


@needs_jit
def test_one_arm_alone_is_the_same_arm():
    both, alone = lr_find(Settings(), seeds=(3,)), lr_find(Settings(), arms=(False,), seeds=(3,))
    assert alone.numbers == {"without_bn": both.numbers["without_bn"]}


def test_deep_sigmoids_learn_nothing_without_batch_norm_and_that_is_said():
    settings = Settings(activation="sigmoid", hidden=(4,), depth=8)
    report = lr_find(settings, arms=(False,), seeds=(0,), steps=20, high=1.0)
    assert report.numbers["without_bn"]["suggestion"] is None
    assert "no rate is suggested" in report.statements[0]
    assert report.verdict == "none without batch norm"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"low": 0.0}, ArgumentError, "0 < low < high"),
        ({"low": 2.0, "high": 1.0}, ArgumentError, "0 < low < high, got 2 and 1"),
        ({"high": np.inf}, ArgumentError, "high must be finite"),
        ({"steps": 19}, ArgumentError, "steps must be at least 20"),
        ({"steps": 30.0}, DtypeError, "steps must be an integer"),
        ({"seeds": ()}, ArgumentError, "must not be empty"),
        ({"arms": ()}, ArgumentError, "must not be empty"),
    ],
)
def test_wrong_arguments_are_named(given, error, message):
    with pytest.raises(error, match=message):
        lr_find(Settings(), **given)
