"""The study of a rare class; on the mammography data where MINIBN_MAMMOGRAPHY names the file."""

import json
import os

import numpy as np
import pytest
from cases import needs_jit

from minibn.lab.report import Report
from minibn.lab.studies import Setup, find
from minibn.lab.studies.imbalance import NETWORK, _difference, two_classes
from minibn.train import Settings, prepare

MAMMOGRAPHY = os.environ.get("MINIBN_MAMMOGRAPHY")
ARMS = ("with batch norm", "without batch norm")


def answer(**setup):
    report = find("imbalance").answer(Setup(**setup))
    assert isinstance(report, Report)
    json.dumps([report.numbers, report.conditions], allow_nan=False)
    return report


@pytest.fixture(scope="module")
def rare(tmp_path_factory):
    """Three classes, of which the one in the middle is rare and stands apart."""
    rng = np.random.default_rng(0)
    y = np.array([1 if i % 20 == 0 else 2 * (i % 2) for i in range(400)])
    x = rng.standard_normal((400, 2)) + 4 * (y == 1)[:, None]
    path = tmp_path_factory.mktemp("rare") / "rare.npz"
    np.savez(path, x=x, y=y)
    return str(path)


def test_the_rarest_class_is_held_against_the_rest(rare):
    experiment = prepare(Settings(data=rare, val_fraction=0.3))
    two = two_classes(experiment)
    assert two.dataset.labels == ("rest", "1")
    assert two.positive == "1"
    for name in ("y_train", "y_validation"):
        assert np.array_equal(getattr(two, name), getattr(experiment, name) == 1)
    assert two_classes(two) is two


@needs_jit
def test_the_report_says_what_the_runs_came_to(rare):
    progress = []
    report = answer(data=rare, seeds=(0, 1), progress=progress.append)
    assert progress == ["split 0", "split 1"]
    arms = report.numbers["arms"]
    assert all(np.shape(values) == (2, 10) for arm in arms.values() for values in arm.values())
    last = [np.array(arms[arm]["average_precision"])[:, -1] for arm in ARMS]
    found = report.numbers["differences"]["average precision, batch norm"]
    assert found["mean"] == pytest.approx(100 * np.mean(last[0] - last[1]))
    assert found["low"] < found["mean"] < found["high"]
    assert report.numbers["prevalence"] == pytest.approx(0.05, abs=0.002)
    weighted = np.array(arms["with batch norm, balanced"]["recall"])[:, -1].mean()
    assert weighted > 0.9, "a class that stands apart is found once classes weigh alike"
    assert len(report.charts) == 4 and len(report.tables) == 3


@needs_jit
def test_seeds_are_splits(rare):
    one, again, other = (answer(data=rare, seeds=(k,)).numbers for k in (3, 3, 4))
    assert one == again
    assert one["arms"] != other["arms"]


@needs_jit
def test_one_split_has_no_interval(rare):
    report = answer(data=rare, seeds=(0,))
    assert report.verdict == "cannot tell"
    assert any("no interval" in statement for statement in report.statements)


def test_no_interval_of_points_leaves_100():
    figures = {arm: np.zeros((2, 10, 4)) for arm in ARMS}
    figures[ARMS[0]][1, :, 2] = 100.0
    found = _difference(figures, 2, -1, *ARMS)
    assert (found.mean, found.low, found.high) == (50.0, -100.0, 100.0)


@needs_jit
def test_a_diverged_network_knows_the_majority_at_best(rare, monkeypatch):
    monkeypatch.setitem(NETWORK, "lr", 1e30)
    report = answer(data=rare, seeds=(0, 1))
    without = report.numbers["arms"]["without batch norm"]
    assert without["recall"] == [[0.0] * 10] * 2
    assert without["average_precision"] == [[report.numbers["prevalence"]] * 10] * 2
    assert without["accuracy"] == [[1 - report.numbers["prevalence"]] * 10] * 2


@needs_jit
@pytest.mark.skipif(not MAMMOGRAPHY, reason="MINIBN_MAMMOGRAPHY does not name mammography.csv")
def test_accuracy_hides_what_is_missed_on_mammography():
    """Nearly all rows right, nearly all cases missed; batch norm or not."""
    report = answer(data=MAMMOGRAPHY)
    assert report.numbers["prevalence"] == pytest.approx(0.023, abs=0.001)
    for arm in ARMS:
        early = {name: np.mean(values, axis=0)[2] for name, values in report.numbers["arms"][arm].items()}
        assert early["accuracy"] > 0.97
        assert early["recall"] < 0.20
    found = report.numbers["differences"]["average precision, batch norm"]
    assert found["n"] == 10
    assert found["low"] < found["mean"] < found["high"]
    assert any(f"{found['mean']:+.1f} points (95 % interval" in statement for statement in report.statements)
