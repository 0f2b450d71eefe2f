"""Two classes of which one is rare, through the commands: figures, thresholds, class weights, curves."""

import csv
import json
import os
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from cases import needs_jit
from click.testing import CliRunner
from command import run
from minibn_cli.commands import cli
from minibn_cli.options import WAITING

from minibn.metrics import average_precision, threshold_for
from minibn.train import load_model
from minibn.train.checkpoint import load_split

pytestmark = needs_jit

FIXED = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
RARE = ("--data", "rare.csv", "--hidden", 8, "--epochs", 3)
GOAL = ("--threshold-for", "recall=0.8")


def invoke(folder, *arguments):
    """Run a command inside this process, in a folder; return its result."""
    before = os.getcwd()  # noqa: PTH109
    os.chdir(folder)
    try:
        runner = CliRunner(env=FIXED | WAITING)
        return runner.invoke(cli, list(map(str, arguments)), standalone_mode=False)
    finally:
        os.chdir(before)


def text(folder, *arguments):
    result = invoke(folder, *arguments)
    assert result.exception is None, result.exception
    return result.stdout


def report(folder, *arguments):
    return json.loads(text(folder, *arguments, "--json"))


def write_rare(path, seed, rows=600):
    """Write rows of which one in fifteen is positive, and overlaps with the rest."""
    rng = np.random.default_rng(seed)
    positive = np.arange(rows) % 15 == 0
    x = rng.standard_normal((rows, 3)) + 1.2 * positive[:, None]
    with path.open("w", newline="") as file:
        named = [[*row, "sick" if p else "healthy"] for row, p in zip(x, positive, strict=True)]
        csv.writer(file).writerows([["a", "b", "c", "state"], *named])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rare")
    write_rare(path / "rare.csv", 0)
    write_rare(path / "other.csv", 1)
    text(path, "train", "--data", "iris", "--epochs", 1, "--out", "iris")
    return path


@pytest.fixture(scope="module")
def trained(folder):
    return report(folder, "train", *RARE, *GOAL, "--compare-class-weight", "--out", "run")


@pytest.fixture(scope="module")
def plain(folder):
    return report(folder, "train", *RARE, "--out", "plain")


def probabilities(folder):
    predictions = report(folder, "predict", "run")["predictions"]
    return np.array([row["probabilities"][1] for row in predictions]), [
        row["prediction"] for row in predictions
    ]


def test_the_threshold_is_searched_on_the_validation_rows_alone(folder, trained):
    p, _ = probabilities(folder)
    held = load_split(folder / "run")["validation"]
    positive = np.arange(600) % 15 == 0
    expected = threshold_for(positive[held], p[held], "recall=0.8")
    found = trained["threshold"]
    assert found["threshold"] == pytest.approx(expected.threshold, abs=1e-6)
    assert (found["recall"], found["precision"]) == (expected.recall, expected.precision)
    assert (found["goal"], found["searched_on"], found["rows"]) == ("recall=0.8", "validation", 120)
    assert found["threshold"] != pytest.approx(threshold_for(positive, p, "recall=0.8").threshold, abs=1e-4)
    assert trained["final"]["average_precision"] == pytest.approx(average_precision(positive[held], p[held]))
    assert trained["final"]["prevalence"] == positive[held].mean()


def test_it_lies_with_the_model(folder, trained):
    _, about = load_model(folder / "run")
    assert about["threshold"] == {name: v for name, v in trained["threshold"].items() if name != "final"}


def test_evaluate_uses_it_and_says_so(folder, trained):
    evaluated = report(folder, "evaluate", "run")
    assert evaluated["final"] == trained["threshold"]["final"]
    assert evaluated["final"]["recall"] == trained["threshold"]["recall"] >= 0.8
    threshold = {"threshold": trained["threshold"]["threshold"], "source": "stored", "goal": "recall=0.8"}
    assert evaluated["threshold"] == threshold
    assert report(folder, "evaluate", "run", "--threshold", "stored") == evaluated
    said = text(folder, "evaluate", "run")
    assert "chosen on these validation rows, so its figures there are optimistic" in said
    assert "average precision" in said


def test_another_threshold_can_be_asked_for(folder, trained):
    half = report(folder, "evaluate", "run", "--threshold", 0.5)
    assert half["final"] == trained["final"]
    assert half["threshold"] == {"threshold": 0.5, "source": "given", "goal": None}
    assert "optimistic" not in text(folder, "evaluate", "run", "--threshold", 0.5)
    assert report(folder, "evaluate", "run", "--threshold", 0)["final"]["recall"] == 1


def test_other_rows_are_not_called_optimistic(folder, trained):
    said = text(folder, "evaluate", "run", "--data", "other.csv")
    assert "searched on the validation rows of the run" in said
    assert "optimistic" not in said


def test_predict_uses_it(folder, trained):
    p, predicted = probabilities(folder)
    expected = np.where(p >= trained["threshold"]["threshold"], "sick", "healthy")
    assert predicted == expected.tolist()
    assert report(folder, "predict", "run", "--threshold", 1)["predictions"][0]["prediction"] == "healthy"
    result = invoke(folder, "predict", "run")
    assert [line.split(",")[1] for line in result.stdout.splitlines()[1:]] == predicted
    assert "stored for recall=0.8" in result.stderr


def test_without_a_stored_threshold_the_more_probable_class_counts(folder, plain):
    assert "threshold" not in plain
    evaluated = report(folder, "evaluate", "plain")
    assert (evaluated["final"], evaluated["threshold"]) == (plain["final"], None)


def test_both_class_weights_are_the_runs_that_they_would_be_alone(folder, trained, plain):
    beside = trained["beside"]
    weighted = report(folder, "train", *RARE, *GOAL, "--class-weight", "balanced", "--out", "weighted")
    assert (trained["config"]["class_weight"], beside["config"]["class_weight"]) == (None, "balanced")
    assert trained["epochs"] == plain["epochs"] and trained["final"] == plain["final"]
    assert beside["epochs"] == weighted["epochs"] and beside["final"] == weighted["final"]
    assert beside["threshold"] == weighted["threshold"]
    assert report(folder, "evaluate", "run/balanced")["final"] == weighted["threshold"]["final"]


def test_both_stand_side_by_side(folder):
    said = text(
        folder,
        "train",
        *RARE,
        *GOAL,
        "--compare-class-weight",
        "--class-weight",
        "balanced",
        "--out",
        "turned",
    )
    lines = said[said.index("class weights, on the 120 validation rows") :].splitlines()
    assert lines[1].split() == ["balanced", "plain"]
    figures = {line[: line.rindex("  ", 0, -6)].strip(): line.split()[-2:] for line in lines[2:14]}
    other = json.loads((folder / "turned" / "metrics.json").read_text())["beside"]
    assert other["config"]["class_weight"] is None
    named = next(name for name in figures if name.startswith("average precision"))
    assert figures[named][1] == f"{other['final']['average_precision']:.4f}"
    assert (folder / "turned" / "plain" / "model.safetensors").exists()


def test_the_curve_is_drawn(folder, trained):
    for name in ("curve_png", "curve_svg"):
        assert (folder / trained["files"][name]).stat().st_size > 5000
    assert ElementTree.parse(folder / trained["files"]["curve_svg"]).getroot().tag.endswith("svg")
    shown = report(folder, "evaluate", "run", "--data", "other.csv", "--plot", "curve.png")
    assert shown["files"] == {"plot": "curve.png"}
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    three = report(folder, "train", "--data", "iris", "--epochs", 1, "--out", "three")
    assert "curve_png" not in three["files"]
    assert three["final"]["average_precision"] is three["final"]["prevalence"] is None


def test_a_goal_out_of_reach_is_said_and_nothing_stored(folder):
    result = invoke(folder, "train", *RARE, "--epochs", 1, "--threshold-for", "precision=1", "--lr", 1e-9,
                    "--out", "reached", "--json")  # fmt: skip
    found = json.loads(result.stdout)["threshold"]
    assert found["threshold"] is None and "no threshold reaches precision 1" in found["note"]
    assert load_model(folder / "reached")[1].get("threshold") is None
    result = invoke(
        folder,
        "train",
        *RARE,
        "--epochs",
        1,
        "--threshold-for",
        "precision=1",
        "--lr",
        1e-9,
        "--out",
        "again",
    )
    assert "no threshold reaches precision 1" in result.stderr


def test_a_resumed_run_has_the_threshold_of_a_whole_one(folder, trained):
    text(folder, "train", *RARE, *GOAL, "--epochs", 2, "--out", "resumed")
    assert report(folder, "train", "--resume", "resumed", "--epochs", 3)["threshold"] == trained["threshold"]


def test_rare_classes_are_pointed_out(folder):
    said = text(folder, "train", *RARE, "--out", "noted")
    assert "93.33 % of the training rows are of one class" in said
    assert "--compare-class-weight shows both" in said
    assert "are of one class" not in text(
        folder, "train", "--data", "iris", "--epochs", 1, "--out", "balanced iris"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["train", "--data", "iris", "--threshold-for", "f1"], "only two classes have a threshold between them, got 3"),
     (["train", *RARE, "--threshold-for", "recall"], "expected recall=VALUE, precision=VALUE or f1, got 'recall'"),
     (["train", *RARE, "--threshold-for", "recall=80"], "expected a recall above 0 and up to 1, got '80'"),
     (["train", "--resume", "run", "--threshold-for", "f1"], "got --threshold-for; only --epochs may change"),
     (["train", "--resume", "run", "--compare-class-weight"], "got --compare-class-weight; only --epochs"),
     (["evaluate", "iris", "--threshold", "0.5"], "--threshold is for two classes, and this model knows 3"),
     (["predict", "iris", "--threshold", "0.5"], "--threshold is for two classes, and this model knows 3"),
     (["evaluate", "plain", "--threshold", "stored"], "no threshold is stored with this model"),
     (["evaluate", "plain", "--threshold", "1.5"], "expected 'stored' or a probability from 0 to 1, got '1.5'"),
     (["evaluate", "plain", "--threshold", "x"], "expected 'stored' or a probability from 0 to 1, got 'x'"),
     (["evaluate", "plain", "--threshold", "nan"], "expected 'stored' or a probability from 0 to 1, got 'nan'"),
     (["evaluate", "plain", "--plot", "curve.txt"], "--plot takes a .png, .svg or .pdf file"),
     (["evaluate", "iris", "--plot", "curve.png"], "a precision-recall curve needs two classes, got 3")],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_usage_is_named(folder, trained, plain, arguments, said):
    result = invoke(folder, *arguments)
    assert said in getattr(result.exception, "message", str(result.exception))
    assert not list(folder.glob("runs/*")), "a run was begun"


@pytest.mark.subprocess
def test_wrong_usage_exits_with_2(tmp_path):
    process = run("train", "--data", "iris", *GOAL, cwd=tmp_path, code=2)
    assert process.stderr.strip().splitlines()[-1].startswith("Error: threshold_for: only two classes")


def test_evaluate_and_doctor_show_the_run_beside(folder, trained):
    for command in ("evaluate", "doctor"):
        found = report(folder, command, "run")["beside"]
        assert (found["name"], found["checkpoint"]) == ("balanced", "run/balanced")
        assert found["final"] == trained["beside"]["threshold"]["final"]
        said = text(folder, command, "run")
        lines = said[said.index("class weights on the same rows") :].splitlines()
        assert lines[1].split() == ["plain", "balanced"]
        ranked = next(line for line in lines if line.strip().startswith("average precision"))
        expected = [trained[part]["average_precision"] for part in ("final",)]
        expected.append(trained["beside"]["final"]["average_precision"])
        assert ranked.split()[-2:] == [f"{value:.4f}" for value in expected]
    assert "beside" not in report(folder, "evaluate", "run/balanced")


def test_the_doctor_page_names_what_was_judged(folder, trained):
    text(folder, "doctor", "run/model.safetensors", "--data", "other.csv", "--out", "page", "--report")
    shown = (folder / "page" / "report.html").read_text()
    assert "<h1>doctor: run/model.safetensors on other</h1>" in shown
    for name in ("checkpoint", "data", "threshold"):
        assert f"<dt>{name}</dt>" in shown
    assert "stored for recall=0.8" in shown
    text(folder, "train", *RARE, "--out", "bare")
    (folder / "bare" / "training.safetensors").unlink()
    text(folder, "doctor", "bare", "--report")
    shown = (folder / "bare" / "report.html").read_text()
    assert "not checked" in shown and "the training rows were not given" in shown
