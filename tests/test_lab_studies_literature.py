"""The studies that train both arms: each quick run gives a whole report."""

import json
import math

import numpy as np
import pytest
from cases import needs_jit

from minibn.lab import HeatMap, Report
from minibn.lab.answers import ANSWERS
from minibn.lab.studies import STUDIES, Setup
from minibn.lab.studies.depth import Depths
from minibn.lab.studies.init import Curve
from minibn.lab.studies.ioffe_szegedy import Look, Setting
from minibn.lab.studies.saturation import Course

NAMES = ("ioffe-szegedy", "learning-rates", "init", "depth", "saturation", "regularization")


def finite(value):
    """Say whether all numbers of a JSON value are finite."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def assert_whole(report, name):
    """Check what every report owes its reader."""
    assert isinstance(report, Report) and report.name == name and report.verdict in ANSWERS
    assert report.question.endswith("?") and report.source == STUDIES[name].source
    assert report.statements and all(text.endswith(".") and "nan" not in text for text in report.statements)
    assert finite(report.numbers) and json.loads(json.dumps(report.numbers, allow_nan=False))
    assert {"data", "rows", "network", "training", "bn", "seeds", "quick"} <= set(
        json.loads(json.dumps(report.conditions))
    )
    for table in report.tables:
        assert table.rows and all(len(row) == len(table.head) for row in table.rows)
    assert report.charts and not any(isinstance(chart, HeatMap) for chart in report.charts)
    for series in (series for chart in report.charts for series in chart.series):
        assert len(series.x) == len(series.y) > 0 and np.isfinite(series.y).all()
        assert series.low is None or len(series.low) == len(series.high) == len(series.x)


@needs_jit
@pytest.mark.parametrize("name", NAMES)
def test_a_quick_run_gives_a_whole_report(name):
    pytest.importorskip("sklearn")
    heard = []
    setup = Setup(
        data="wine", seeds=(0,) if name in ("init", "saturation") else (), quick=True, progress=heard.append
    )
    assert_whole(STUDIES[name].answer(setup), name)
    assert heard


@needs_jit
def test_one_seed_allows_no_answer():
    pytest.importorskip("sklearn")
    report = STUDIES["learning-rates"].answer(Setup(data="iris", seeds=(7,), quick=True))
    assert report.verdict == "cannot tell" and report.conditions["seeds"] == [7]
    assert "seeds [1000]" in report.conditions["tuning"]


def test_studies_say_what_they_are():
    for name in NAMES:
        study = STUDIES[name]
        assert study.question.endswith("?") and study.source and study.statement
        assert study.seconds > 0 and study.needs_data


# what each study reads off its runs


class Run:
    """A run by its accuracies."""

    def __init__(self, accuracies, widths=None):
        self.seen = [
            Look(a, (0, 0, 0), w, 0.0) for a, w in zip(accuracies, widths or accuracies, strict=True)
        ]
        self.accuracy, self.diverged = accuracies[-1], False


def test_steps_without_over_steps_with():
    runs = {
        True: [Run([0.5, 0.9, 0.9]), Run([0.9, 0.9, 0.9])],
        False: [Run([0.1, 0.2, 0.3]), Run([0.1, 0.2, 0.9])],
    }
    setting = Setting(0.1, 0.5, (10, 100, 1000), runs)
    assert setting.reached(True, 0.8) == [100, 10] and setting.reached(False, 0.8) == [None, 1000]
    assert setting.sooner(0.8).mean == pytest.approx((math.log(10) + math.log(100)) / 2)
    assert setting.final.mean == pytest.approx(30)


@pytest.mark.parametrize(
    ("with_bn", "without", "expected"),
    [([0.1, 0.9, 0.9], [0.1, 0.2, 0.3], "yes"), ([0.1, 0.2, 0.3], [0.1] * 3, "cannot tell"), ([0.9] * 3, [0.9] * 3, "cannot tell"),
     ([0.1, 0.9, 0.9], [0.1, 0.9, 0.9], "no")],
)  # fmt: skip
def test_what_no_arm_reaches_or_both_reach_at_once_tells_nothing(with_bn, without, expected):
    runs = {True: [Run(with_bn)] * 3, False: [Run(without)] * 3}
    setting = Setting(0.1, 0.5, (10, 100, 400), runs)
    assert setting.answer(0.8) == expected


def test_growth_counts_from_step_100():
    runs = {True: [Run([1, 2, 3.0], [1.0, 2.0, 6.0])], False: [Run([1, 2, 3.0], [1.0, 0.5, 6.0])]}
    setting = Setting(0.1, 0.5, (10, 100, 1000), runs)
    assert setting.growth(True) == 3 and setting.growth(False) == 12


def test_a_diverged_run_stays_as_it_ended():
    run = Run([0.5, 0.6], [2.0, 3.0])
    run.accuracy, run.diverged = 0.1, True
    setting = Setting(0.1, 0.5, (10, 100, 1000, 2000), {True: [run, Run([0.9] * 4)]})
    np.testing.assert_array_equal(setting.over_time(True, "accuracy")[:, 0], [0.5, 0.6, 0.1, 0.1])
    np.testing.assert_array_equal(setting.over_time(True, "width")[:, 0], [2, 3, 3, 3])


def test_trainable_depth_ends_at_the_first_that_fails():
    accuracy = {True: np.array([[0.9], [0.92], [0.85], [0.9]]), False: np.array([[0.9], [0.5], [0.9], [0.9]])}
    found = Depths("relu", (1, 2, 5, 10), accuracy, {}, np.array([0.1]))
    assert found.trainable(True) == [10] and found.trainable(False) == [1]
    assert found.ratio.mean == pytest.approx(math.log(10))


def test_an_arm_that_never_trains_is_not_called_flat():
    stuck, good = np.full((3, 2), 0.1), np.array([[0.8, 0.8], [0.9, 0.9], [0.7, 0.7]])
    curve = Curve(
        "relu", (0.1, 1, 10), {True: good, False: stuck}, {True: good, False: stuck}, {}, np.full(2, 0.1)
    )
    assert curve.saved("tuned").mean == pytest.approx(70)
    assert curve.working("equal", True) == [0.1, 1] and curve.working("equal", False) == []


def test_saturation_spared_and_gradients_evened():
    ones = np.ones((1, 2))
    course = Course(
        "tanh",
        1.0,
        (20,),
        {},
        {True: 0.1 * ones, False: 0.4 * ones},
        {True: 0.5 * ones, False: 8 * ones},
        {},
        {},
    )
    assert course.spared(20).mean == pytest.approx(30)
    assert course.evened(20).mean == pytest.approx(math.log(8) - math.log(2))
