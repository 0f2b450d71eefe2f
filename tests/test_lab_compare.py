"""Paired comparisons: what is shared, what is reported, and how often a null comparison cries wolf."""

import math
from dataclasses import replace

import numpy as np
import pytest
from cases import needs_jit
from scipy import stats

from minibn.data import load
from minibn.errors import NonFiniteLossError
from minibn.lab import (
    ARMS,
    WITH,
    WITHOUT,
    Comparison,
    comparison_report,
    experiments,
    paired_difference,
    pairs,
    run,
    tune,
)
from minibn.lab.comparison.pairs import Pair
from minibn.train import EpochRecord, Settings, build, epochs, prepare, with_arm

SMALL = Settings(data="iris", epochs=2, hidden=(4,), batch_size=16)


def compared(settings, seeds, **options):
    return Comparison(tuple(pairs(settings, seeds, **options)))


@pytest.fixture(scope="module")
def small():
    pytest.importorskip("sklearn")
    return compared(SMALL, range(3, 6))


def test_both_arms_share_split_weights_and_order(small):
    for experiment in experiments(SMALL, (3,)):
        plain = build(with_arm(experiment, False)).parameters()
        normal = build(with_arm(experiment, True)).parameters()
        np.testing.assert_array_equal(plain["0.weight"].data, normal["0.weight"].data)
        again = run(with_arm(experiment, False))
    assert again.records == small.pairs[0].outcomes[WITHOUT].records
    assert [pair.seed for pair in small.pairs] == [3, 4, 5]


def test_a_file_is_read_once(monkeypatch):
    pytest.importorskip("sklearn")
    from minibn.lab.comparison import pairs as module

    read = []
    monkeypatch.setattr(module, "load", lambda *a, **k: read.append(a) or load(*a, **k))
    made = list(experiments(SMALL, range(3)))
    assert len(read) == 1
    assert not np.array_equal(made[0].train_rows, made[1].train_rows)
    alone = prepare(replace(SMALL, seed=1))
    np.testing.assert_array_equal(alone.x_train, made[1].x_train)


def test_only_the_first_networks_are_kept(small):
    kept = [outcome.model is not None for pair in small.pairs for outcome in pair.outcomes.values()]
    assert kept == [True, True, False, False, False, False]


def test_the_difference_is_that_of_the_accuracies_in_points(small):
    ours = small.difference
    figures = [[100 * pair.outcomes[arm].final["accuracy"] for pair in small.pairs] for arm in ARMS]
    assert ours == paired_difference(*figures)
    assert small.centre(WITH, "train_loss", 2)[0] == pytest.approx(
        np.mean([pair.outcomes[WITH].records[1].train_loss for pair in small.pairs])
    )


def outcome(losses, diverged=False, accuracy=0.9):
    from minibn.lab import Outcome

    records = [EpochRecord(k, loss, 0.5, loss, loss, accuracy) for k, loss in enumerate(losses, 1)]
    metrics = dict.fromkeys(("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc"), accuracy)
    majority = dict.fromkeys(metrics, 0.5)
    failed = {"epoch": len(losses) + 1, "step": 1, "layer": "0.Dense"} if diverged else None
    return Outcome(None, records, None if diverged else metrics, failed, None, majority)


def with_a_diverged_run():
    plain = [outcome([1.0, 0.5]), outcome([4.0], diverged=True), outcome([3.0, 0.7])]
    return Comparison(
        tuple(Pair(k, {WITH: outcome([1.0, 0.5]), WITHOUT: other}) for k, other in enumerate(plain))
    )


def test_a_diverged_run_counts_as_the_majority_baseline():
    comparison = with_a_diverged_run()
    assert comparison.metric(WITHOUT, "accuracy") == [0.9, 0.5, 0.9]
    assert comparison.values(WITHOUT, "val_accuracy", 2) == [0.9, 0.5, 0.9]
    assert comparison.difference.mean == pytest.approx(40 / 3)
    report = comparison_report(comparison, Settings(), None, None)
    assert report.numbers["difference"]["diverged_without_bn"] == 1
    assert report.numbers["difference"]["diverged_with_bn"] == 0
    assert report.numbers["pairs"][1] == {
        "seed": 1, "accuracy_with_bn": 0.9, "loss_with_bn": 0.5, "diverged_with_bn": False,
        "accuracy_without_bn": 0.5, "loss_without_bn": None, "diverged_without_bn": True,
    }  # fmt: skip
    assert any(line.startswith("1 of 3 runs without batch norm diverged") for line in report.statements)


def test_losses_of_an_arm_with_diverged_runs_are_medians():
    comparison = with_a_diverged_run()
    assert comparison.values(WITHOUT, "train_loss", 2) == [0.5, math.inf, 0.7]
    assert comparison.centre(WITHOUT, "train_loss", 1)[0] == 3.0
    assert comparison.centre(WITHOUT, "train_loss", 2)[0] == 0.7
    assert comparison.centre(WITH, "train_loss", 2) == (0.5, 0.5, 0.5)


def test_what_the_verdict_on_accuracy_leaves_out_is_said():
    pairs_ = tuple(Pair(k, {arm: outcome([4.0], diverged=True) for arm in ARMS}) for k in range(2))
    report = comparison_report(Comparison(pairs_), Settings())
    assert report.verdict == "cannot tell"
    assert "every run of both arms diverged: cannot tell" in report.statements[0]
    rare = [outcome([1.0]) for _ in range(4)]
    for run_ in rare:
        run_.majority["accuracy"] = 0.98
    pairs_ = tuple(Pair(k, dict(zip(ARMS, two, strict=True))) for k, two in enumerate((rare[:2], rare[2:])))
    said = comparison_report(Comparison(pairs_), Settings()).statements
    assert any("accuracy can hardly show a difference" in line for line in said)


def test_losses_have_paired_differences():
    arms = [[1.0, 0.4], [1.2, 0.6], [0.9, 0.5]], [[1.5, 0.3], [1.4, 0.5], [1.6, 0.6]]
    found = Comparison(
        tuple(
            Pair(k, dict(zip(ARMS, map(outcome, two), strict=True)))
            for k, two in enumerate(zip(*arms, strict=True))
        )
    )
    assert found.loss_saved(1) == paired_difference([1.5, 1.4, 1.6], [1.0, 1.2, 0.9])
    assert found.loss_saved(2).wins == 1
    numbers = comparison_report(found, Settings()).numbers
    assert [row["epoch"] for row in numbers["loss_saved"]] == [1, 2]
    assert set(numbers["metrics"]) >= {"accuracy", "precision", "recall"}
    assert with_a_diverged_run().loss_saved(1) is None


def test_chart_and_table_end_alike_where_every_run_diverged():
    """Each is drawn at its own accuracy while it lives, and at the baseline from the epoch in which it diverged."""
    gone = [outcome([1.0, 2.0], diverged=True), outcome([3.0], diverged=True)]
    comparison = Comparison(tuple(Pair(k, dict.fromkeys(ARMS, one)) for k, one in enumerate(gone)))
    assert comparison.epochs == 3
    report = comparison_report(comparison, Settings(), None, None)
    losses, accuracy = report.charts
    for series in accuracy.series:
        np.testing.assert_allclose(series.y, [0.9, 0.7, 0.5])
        assert series.y[-1] == accuracy.marks[0][1] == np.mean(comparison.metric(WITH, "accuracy"))
    assert accuracy.title.endswith("once diverged: the majority baseline")
    assert report.tables[0].rows[-1][:3] == (3, "diverged", "diverged")
    assert not any(math.isfinite(series.y[-1]) for series in losses.series)


def test_bands_of_accuracy_end_at_0_and_1():
    high, low = (outcome([1.0], accuracy=value) for value in (1.0, 0.1))
    comparison = Comparison(tuple(Pair(k, dict.fromkeys(ARMS, one)) for k, one in enumerate((high, low))))
    for series in comparison_report(comparison, Settings(), None, None).charts[1].series:
        assert (series.low, series.high) == ([0.0], [1.0])


def test_a_run_that_stopped_early_keeps_its_figures():
    comparison = Comparison((Pair(0, {WITH: outcome([1.0]), WITHOUT: outcome([2.0, 1.5])}),))
    assert comparison.values(WITH, "train_loss", 2) == [1.0]


def test_tuning_never_touches_the_reported_seeds():
    pytest.importorskip("sklearn")
    tuning = tune(SMALL, range(3, 6), grid=(0.01, 0.3))
    assert not set(tuning.seeds) & set(range(3, 6))
    by_hand = compared(replace(SMALL, lr=0.3), tuning.seeds)
    assert tuning.accuracy[WITH][1] == pytest.approx(np.mean(by_hand.metric(WITH, "accuracy")))
    assert tuning.rates[WITH] == (0.01, 0.3)[int(np.argmax(tuning.accuracy[WITH]))]
    tuned = compared(SMALL, (3,), rates={WITH: 0.01, WITHOUT: 0.3})
    assert tuned.runs(WITHOUT)[0].records == compared(replace(SMALL, lr=0.3), (3,)).runs(WITHOUT)[0].records


def null_difference(experiment, first, seeds=5):
    """Compare two batch-norm arms on one split that differ in initial draws and batch orders alone."""
    arms = [
        [100 * run(replace(experiment, settings=replace(experiment.settings, seed=seed))).accuracy for seed in range(k, k + seeds)]
        for k in (first, first + seeds)
    ]  # fmt: skip
    return paired_difference(*arms)


@needs_jit
def test_a_null_comparison_calls_a_difference_in_one_of_twenty():
    experiment, count = prepare(Settings(data="example-hard", epochs=2, lr=0.1)), 400
    called = 0
    for number in range(count):
        found = null_difference(experiment, 1000 + 10 * number)
        called += not found.low <= 0 <= found.high
    low, high = stats.binom.interval(0.999, count, 0.05)
    assert low <= called <= high, f"{called} of {count}"


def test_a_divergence_is_found_by_the_run_as_training_finds_it():
    settings = Settings(lr=1e30, epochs=2, bn=False)
    experiment = prepare(settings)
    found = run(experiment)
    with pytest.raises(NonFiniteLossError) as error:
        list(
            epochs(build(experiment), experiment.x_train, experiment.y_train, optimizer=_sgd(1e30), epochs=2)
        )
    assert (found.diverged, found.failed["epoch"]) == (True, error.value.epoch)
    assert found.accuracy == experiment.majority_baseline == found.majority["accuracy"]


def _sgd(rate):
    from minibn.train import SGD

    return SGD(rate)


# What the source documents claim of the example, over 20 seeds: see docs/claims.md.
@needs_jit
def test_the_trace_of_the_example():
    """The documents' trace is met within 0.1 and 0.06 by the mean of 20 seeds; without batch norm it is faster."""
    comparison = compared(Settings(epochs=5), range(20))
    for epoch, (loss, accuracy) in enumerate(
        [(1.2, 0.45), (0.9, 0.6), (0.7, 0.72), (0.55, 0.8), (0.45, 0.85)], 1
    ):
        records = [pair.outcomes[WITH].records[epoch - 1] for pair in comparison.pairs]
        assert np.mean([r.train_loss for r in records]) == pytest.approx(loss, abs=0.1)
        assert np.mean([r.train_accuracy for r in records]) == pytest.approx(accuracy, abs=0.06)
    wins = sum(
        p.outcomes[WITHOUT].records[4].train_loss < p.outcomes[WITH].records[4].train_loss
        for p in comparison.pairs
    )
    assert wins == 20


HARD = Settings(data="example-hard", epochs=10)


@needs_jit
@pytest.mark.parametrize(
    ("changed", "least"),
    [({"shift_inputs": 5.0}, 5.0), ({"hidden": (32,), "depth": 5, "init_scale": 0.1}, 30.0)],
    ids=["inputs shifted by 5", "five layers, weights scaled by 0.1"],
)
def test_where_batch_norm_helps_also_with_tuned_rates(changed, least):
    settings, seeds = replace(HARD, **changed).resolved(), range(20)
    comparison = compared(settings, seeds, rates=tune(settings, seeds).rates)
    assert comparison.difference.low > least
    assert comparison.verdict == "helps"


@needs_jit
def test_at_a_rate_of_1_only_batch_norm_always_stays_finite():
    comparison = compared(replace(HARD, lr=1.0), range(20))
    assert comparison.diverged(WITH) == 0
    assert comparison.difference.low > 0
