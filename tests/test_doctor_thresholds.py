"""What the doctor says of two classes: at a threshold, and without."""

import numpy as np
import pytest
from patients import counted

from minibn.lab import doctor

QUIZ, GOOD = (24, 176, 24, 9776), (180, 20, 260, 9540)


def diagnosis(told, threshold=None):
    return doctor(told["model"], told["data"], threshold=threshold)


def hidden():
    """Positives that are all on the wrong side of an even chance, and all above one in five."""
    told = counted(0, 200, 0, 9800)
    x, y = told["data"]
    return told | {"data": (np.where(y[:, None] == 1, -0.05, x), y)}


@pytest.mark.parametrize(
    ("told", "threshold", "kind", "cause"),
    [(counted(*GOOD), 0.0, "faults", "the threshold, not the training"),
     (counted(*QUIZ), 0.3, "faults", "learned little more than which class is frequent"),
     (hidden(), 0.2, "notes", "learned little more than which class is frequent"),
     (hidden(), None, "faults", "learned little more than which class is frequent")],
)  # fmt: skip
def test_the_cause_is_told_apart(told, threshold, kind, cause):
    found = {item.name: item for item in getattr(diagnosis(told, threshold), kind)}
    finding = found["no better than the majority"]
    assert cause in finding.cause
    assert ("at the threshold" in finding.figure) == (threshold is not None)
    assert ("--threshold-for recall=0.8" in finding.remedy) == (kind == "faults" and "learned" in cause)


def test_a_threshold_that_helps_leaves_the_network_healthy():
    assert diagnosis(hidden(), 0.2).healthy


def test_both_decisions_have_their_table():
    report = diagnosis(counted(*GOOD), 0.0).report
    rows = {table.title: table.rows for table in report.tables if table.title.startswith("classes")}
    first, second = rows
    assert "at the threshold 0" in first and "more probable one counts" in second
    assert [row[3] for row in rows[first]] == [0, 1]
    assert [row[3] for row in rows[second]] == pytest.approx([9540 / 9800, 180 / 200])
    assert {s.style for chart in report.charts if chart.title in rows for s in chart.series} == {"points"}


def test_average_precision_stands_beside_the_prevalence():
    report = diagnosis(hidden(), 0.2).report
    (shown,) = (table for table in report.tables if "average precision" in table.head)
    assert shown.rows == (("1", pytest.approx(1), 0.02),)
    curve = report.charts[-1]
    assert curve.marks[0][1] == 0.02
    assert "average precision 1.000" in curve.series[0].label
    assert (curve.series[1].x, curve.series[1].y) == ([1], [1])
