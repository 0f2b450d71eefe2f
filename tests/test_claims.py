"""The page of claims holds one measured row for each claim, and readers answer the claim, not the command."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the benchmarks are not part of the installed package

from benchmarks.claims import readers  # noqa: E402
from benchmarks.claims.rows import CLAIMS  # noqa: E402
from minibn.lab.studies import STUDIES  # noqa: E402

PAGE = ROOT / "docs/claims.md"


def test_every_claim_has_a_measured_row():
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if " | `minibn" in line]
    assert [(row[0].removeprefix("| "), row[1].strip("`")) for row in rows] == [
        (c.text, c.command) for c in CLAIMS
    ]
    for row in rows:
        assert row[2].strip()
        assert re.fullmatch(r"\*\*.+\*\*", row[3])
        assert "not run" not in row[3]


def test_every_study_that_trains_speaks_to_a_claim():
    asked = " ".join(claim.command for claim in CLAIMS)
    assert not [name for name in STUDIES if f"study {name}" not in asked]


def test_gradients_that_grow_answer_no():
    row = {"activation": "relu", "batch": 8, "measured": 1.5, "low": 1.4, "high": 1.6}
    assert readers.growth({"numbers": {"growth": [row]}})[0] == "no"
    assert readers.growth({"numbers": {"growth": [row | {"low": 0.9}]}})[0] == "cannot tell"


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [([(0.5, 0.4, 0.6)], "no"), ([(2, 1.5, 3)], "yes"), ([(0.5, 0.4, 0.6), (2, 1.5, 3)], "in part")],
)
def test_covariate_shift_is_less_only_where_the_ratio_says_so(ratios, verdict):
    nets = [{"net": str(k), "ratios": {"shift": ratio}} for k, ratio in enumerate(ratios)]
    assert readers.shift({"numbers": {"nets": nets}})[0] == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.2, 0.4, "yes"), (-0.4, -0.2, "no"), (-0.1, 0.1, "cannot tell")]
)
def test_a_loss_falls_faster_where_the_interval_says_so(low, high, verdict):
    part = {
        "loss_saved": [{"epoch": 5, "mean": (low + high) / 2, "low": low, "high": high, "wins": 3, "n": 5}]
    }
    assert readers.faster(part | {"tuned": part})[0] == f"equal rates: {verdict}; tuned rates: {verdict}"
