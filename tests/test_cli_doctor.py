"""doctor and recalibrate on saved runs, as a user types them."""

import shutil

import numpy as np
import pytest
from command import run, run_json

pytestmark = pytest.mark.subprocess


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a healthy run, one with a momentum that is too slow, and one without batch norm."""
    folder = tmp_path_factory.mktemp("doctor")
    common = ("train", "--data", "wine", "--epochs", 20)
    run(*common, "--out", "well", cwd=folder)
    run(*common, "--bn-momentum", 0.001, "--out", "slow", cwd=folder)
    run(*common, "--no-bn", "--out", "plain", cwd=folder)
    return folder


def test_a_healthy_run(folder):
    report = run_json("doctor", "well", cwd=folder)
    assert set(report) == {"command", "checkpoint", "healthy", "faults", "notes", "not_checked", "files"}
    assert (report["healthy"], report["faults"], report["not_checked"]) == (True, [], [])
    assert (folder / "well/doctor.svg").exists()


def test_a_fault_is_exit_code_3_and_comes_with_its_remedy(folder):
    text = run("doctor", "slow", cwd=folder, code=3).stdout
    assert "fault: momentum too slow" in text
    assert "minibn recalibrate slow" in text
    (fault,) = run_json("doctor", "slow", cwd=folder, code=3)["faults"]
    assert fault["name"] == "momentum too slow"
    assert set(fault) == {"name", "figure", "cause", "remedy"}


def test_the_remedy_heals(folder):
    before = (folder / "slow/model.safetensors").read_bytes()
    report = run_json("recalibrate", "slow", "--out", "healed", cwd=folder)
    assert (folder / "slow/model.safetensors").read_bytes() == before
    assert report["before"]["validation"].keys() == {"loss", "accuracy"}
    assert report["layers"][0]["layer"] == "1.BatchNorm"
    assert run_json("doctor", "healed", cwd=folder)["healthy"]
    evaluated = run_json("evaluate", "healed", cwd=folder)["final"]["accuracy"]
    assert report["after"]["validation"]["accuracy"] == pytest.approx(evaluated)
    assert run_json("train", "--resume", "healed", "--epochs", 21, cwd=folder)["epochs"][-1]["epoch"] == 21


def test_recalibrate_destroys_nothing_unasked(folder):
    shutil.copytree(folder / "slow", folder / "kept")
    before = (folder / "kept/model.safetensors").read_bytes()
    assert "recalibrated" in run("recalibrate", "kept", cwd=folder).stdout
    for arguments in (("kept",), ("kept", "--out", "kept"), ("kept", "--out", "well")):
        assert "--overwrite" in run("recalibrate", *arguments, cwd=folder, code=2).stderr
    assert (folder / "kept/model.safetensors").read_bytes() == before
    run("recalibrate", "kept", "--out", "kept", "--overwrite", cwd=folder)
    assert (folder / "kept/model.safetensors").read_bytes() != before


def test_recalibrate_leaves_nothing_of_the_run_that_it_replaces(folder):
    shutil.copytree(folder / "well", folder / "other")
    (folder / "other" / "notes.txt").write_text("mine")
    run("recalibrate", "slow", "--out", "fresh", cwd=folder)
    run("recalibrate", "slow", "--out", "other", "--overwrite", cwd=folder)
    names = {path.name for path in (folder / "fresh").iterdir()}
    assert {path.name for path in (folder / "other").iterdir()} == names | {"notes.txt"}
    for name in names - {"recalibrate.json"}:  # which names the folder
        assert (folder / "other" / name).read_bytes() == (folder / "fresh" / name).read_bytes()


def test_recalibrate_does_not_replace_a_comparison_by_one_of_its_runs(folder):
    shutil.copytree(folder / "slow", folder / "compared" / "with-bn")
    before = sorted((folder / "compared").rglob("*"))
    error = run(
        "recalibrate", "compared/with-bn", "--out", "compared", "--overwrite", cwd=folder, code=2
    ).stderr
    assert "compared holds compared/with-bn, which would be replaced with it" in error
    assert sorted((folder / "compared").rglob("*")) == before


def test_a_model_file_alone_leaves_rules_unchecked(folder):
    (folder / "alone").mkdir(exist_ok=True)
    shutil.copy(folder / "well/model.safetensors", folder / "alone")
    why = {
        item["name"]: item["why"]
        for item in run_json("doctor", "alone/model.safetensors", cwd=folder)["not_checked"]
    }
    assert why["drift"] == "the training rows were not given"
    assert why["stuck loss"] == "no history of the training was given"
    assert "name rows with --data" in run("recalibrate", "alone", cwd=folder, code=2).stderr
    assert "all rows" in run_json("recalibrate", "alone", "--data", "wine", cwd=folder)["before"]


def test_other_rows_without_labels(folder):
    from minibn.data import load

    wine = load("wine")
    lines = [
        ",".join(wine.feature_names),
        *(",".join(map(repr, row)) for row in (wine.x + 2 * wine.x.std(axis=0)).tolist()),
    ]
    (folder / "moved.csv").write_text("\n".join(lines) + "\n")
    report = run_json("doctor", "well", "--data", "moved.csv", "--out", "plots", cwd=folder, code=3)
    assert "drift" in [fault["name"] for fault in report["faults"]]
    assert "no labelled rows to judge were given" in [item["why"] for item in report["not_checked"]]
    assert (folder / "plots/doctor.png").exists()


def test_a_run_that_diverged(folder):
    run(
        "train",
        "--data",
        "wine",
        "--no-bn",
        "--lr",
        1e4,
        "--epochs",
        5,
        "--out",
        "diverged",
        cwd=folder,
        code=1,
    )
    if (folder / "diverged/model.safetensors").exists():
        faults = run_json("doctor", "diverged", cwd=folder, code=3)["faults"]
        assert "diverging loss" in [fault["name"] for fault in faults]
    else:
        (fault,) = run_json("doctor", "diverged", cwd=folder, code=3)["faults"]
        assert "at epoch 1" in fault["figure"]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [("doctor nowhere", "no checkpoint at nowhere"), ("doctor", "Missing argument 'CHECKPOINT'"),
     ("recalibrate nowhere", "no checkpoint at nowhere"),
     ("recalibrate plain --out new", "has no batch norm that is not frozen: nothing to recalibrate")],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(folder, arguments, fragment):
    assert fragment in run(*arguments.split(), cwd=folder, code=2).stderr
    assert not (folder / "new").exists()


def test_accuracy_that_is_the_majority_baseline(folder):
    rng = np.random.default_rng(0)
    y = (np.arange(1000) % 25 == 0).astype(int)
    lines = [
        "a,b,fraud",
        *(
            f"{a},{b},{label}"
            for (a, b), label in zip(rng.standard_normal((1000, 2)).tolist(), y, strict=True)
        ),
    ]
    (folder / "noise.csv").write_text("\n".join(lines) + "\n")
    run("train", "--data", "noise.csv", "--epochs", 3, "--out", "noise", cwd=folder)
    faults = {fault["name"]: fault for fault in run_json("doctor", "noise", cwd=folder, code=3)["faults"]}
    assert "is exactly the majority baseline" in faults["no better than the majority"]["figure"]
    assert "--class-weight balanced" in faults["no better than the majority"]["remedy"]
