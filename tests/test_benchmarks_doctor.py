"""The measurement of the doctor: faults that are there, counts that count, a table that says what was counted."""

import sys
from pathlib import Path

import numpy as np
import pytest
from cases import needs_jit
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the benchmarks are not part of the installed package

from benchmarks.__main__ import main  # noqa: E402
from benchmarks.doctor import measure, page, sets  # noqa: E402
from benchmarks.doctor.faults import FAULTS  # noqa: E402
from minibn.lab.doctor.registry import RULES  # noqa: E402


def report(**by_data):
    faults = [{"name": "slow", "finding": "momentum too slow", "runs": 20, "found": 19, "recall": 0.95,
               "by_data": by_data, "also_said": {"drift": 2, "dead units": 1}}]  # fmt: skip
    well = {"runs": 200, "alarmed": 6, "share": 0.03, "by_rule": {"momentum too slow": 6}, "by_data": {}}
    return {"data": list(by_data), "seeds": [1000, 1004], "faults": faults, "healthy": well,
            "rows": measure._goals(faults, well)}  # fmt: skip


def test_every_fault_is_to_be_found_by_a_rule():
    assert len(FAULTS) == 16
    assert {finding for _, finding in FAULTS.values()} <= {rule.name for rule in RULES}


def test_what_is_reported_is_not_what_thresholds_were_chosen_on():
    assert not set(sets.names(True, None)) & {*sets.names(False, None), *sets.names(False, "mammography.csv")}
    assert sets.FIRST_SEED["tuning"] - sets.FIRST_SEED["report"] > 1000


def test_a_goal_that_is_missed_is_named():
    assert measure.missed(report(wine=0.9)) == ["false alarms"]


def test_the_table_names_counts_and_other_faults():
    text = page.text(report(wine=0.9, iris=1.0))
    assert "| slow | 19 of 20 | 0.950 | 0.90 | 1.00 | 6 of 200 | drift 2 |" in text
    assert "6 of 200 (3.0%)" in text


def test_the_page_is_written_between_its_marks(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    page.refresh(path, report(wine=1.0))
    assert path.read_text().startswith(f"before\n{page.BEGIN}\nData sets wine")
    assert path.read_text().endswith(f"{page.END}\nafter\n")


@needs_jit
@pytest.mark.parametrize(
    "fault", ["statistics of 3 steps", "scaler fitted on all rows", "batch norm on the logits"]
)
def test_faults_are_counted(fault, tmp_path):
    pytest.importorskip("sklearn")
    found = measure._fault(fault, ["wine"], range(7000, 7002), tmp_path)
    assert (found["runs"], found["found"], found["recall"]) == (2, 2, 1.0)


@needs_jit
@pytest.mark.parametrize(
    ("fault", "there"),
    [("majority prediction", lambda told: np.unique(told["model"].predict(told["data"].x_validation)).size == 1),
     ("dead ReLU", lambda told: (told["model"].trace(told["data"].x_train)[1][1] == 0).all(axis=0).mean() > 0.4),
     ("duplicates across the split",
      lambda told: len(set(map(bytes, told["data"].x_train)) & set(map(bytes, told["data"].x_validation))) > 3)],
)  # fmt: skip
def test_the_fault_is_there(fault, there, tmp_path):
    pytest.importorskip("sklearn")
    assert there(FAULTS[fault][0]("wine", 7000, tmp_path))


@needs_jit
def test_healthy_runs_are_counted(tmp_path):
    pytest.importorskip("sklearn")
    found = measure._healthy("wine", ["wine"], range(7000, 7003), tmp_path)
    assert (found["runs"], found["alarmed"]) == (3, 0)


def test_the_command_says_what_it_takes():
    assert "--mammography" in CliRunner().invoke(main, ["doctor", "--help"]).output
