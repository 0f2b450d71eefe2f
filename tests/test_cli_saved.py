"""evaluate, predict, trace and resume: what works on a saved run."""

import csv
import io
import json
import signal
import subprocess
import time

import numpy as np
import pytest
from command import MINIBN, run, run_json

pytestmark = pytest.mark.subprocess


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder with a CSV file, a run on it, and the run's report."""
    folder = tmp_path_factory.mktemp("saved")
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    x = rng.standard_normal((240, 4)) * [1, 10, 0.1, 5] + 2 * y[:, None]
    _write_csv(folder / "data.csv", "abcd", x, y)
    report = run_json(
        "train", "--data", "data.csv", "--target", "kind", "--epochs", 5, "--out", "run", cwd=folder
    )
    return folder, report, x, y


def _write_csv(path, names, x, y=None):
    head = [*names] + ([] if y is None else ["kind"])
    rows = [
        [*row] + ([] if y is None else [f"class{label}"])
        for row, label in zip(x, range(len(x)) if y is None else y, strict=True)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def test_evaluate_takes_the_stored_validation_rows(saved):
    folder, report, _, _ = saved
    process = run("evaluate", "run", "--data", "data.csv", cwd=folder)
    assert "48 validation rows stored with the run" in process.stdout
    evaluated = run_json("evaluate", "run", cwd=folder)
    assert evaluated["final"] == report["final"]
    assert evaluated["rows"] == 48


def test_evaluate_on_all_rows(saved):
    folder = saved[0]
    assert run_json("evaluate", "run", "--all-rows", cwd=folder)["rows"] == 240
    assert (
        run_json("evaluate", "run/model.safetensors", "--data", "data.csv", "--all-rows", cwd=folder)["rows"]
        == 240
    )


def test_columns_are_matched_by_name(saved, tmp_path):
    folder, _, x, y = saved
    _write_csv(tmp_path / "turned.csv", ["d", "extra", "b", "a", "c"], x[:, [3, 0, 1, 0, 2]], y)
    turned = run_json("evaluate", folder / "run", "--data", "turned.csv", "--all-rows", cwd=tmp_path)
    assert turned["final"] == run_json("evaluate", "run", "--all-rows", cwd=folder)["final"]


def test_a_missing_column_is_named(saved, tmp_path):
    folder, _, x, y = saved
    _write_csv(tmp_path / "short.csv", "abd", x[:, :3], y)
    process = run("evaluate", folder / "run", "--data", "short.csv", cwd=tmp_path, code=2)
    assert "'c'" in process.stderr


def test_evaluation_changes_no_file(saved):
    folder = saved[0]
    before = {path: path.read_bytes() for path in (folder / "run").iterdir()}
    for command in ("evaluate", "predict", "trace"):
        run(command, "run", cwd=folder)
    assert {path: path.read_bytes() for path in (folder / "run").iterdir()} == before


def test_predict_writes_csv(saved, tmp_path):
    folder, _, x, _ = saved
    _write_csv(tmp_path / "new.csv", "abcd", x[:7])
    process = run("predict", folder / "run", "--data", "new.csv", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(process.stdout)))
    assert [row["row"] for row in rows] == list("1234567")
    assert set(rows[0]) == {"row", "prediction", "p_class0", "p_class1", "p_class2"}
    for row in rows:
        probabilities = {name[2:]: float(row[name]) for name in row if name.startswith("p_")}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert max(probabilities, key=probabilities.get) == row["prediction"]
    run("predict", folder / "run", "--data", "new.csv", "--out", "p.csv", cwd=tmp_path)
    assert (tmp_path / "p.csv").read_text() == process.stdout
    assert (
        run_json("predict", folder / "run", "--data", "new.csv", cwd=tmp_path)["predictions"][6]["row"] == 7
    )


def test_a_row_does_not_depend_on_its_neighbours(saved, tmp_path):
    folder, _, x, _ = saved
    _write_csv(tmp_path / "one.csv", "abcd", x[:1])
    _write_csv(tmp_path / "many.csv", "abcd", x)
    one, many = (
        run_json("predict", folder / "run", "--data", name, cwd=tmp_path)["predictions"][0]
        for name in ("one.csv", "many.csv")
    )
    assert one["probabilities"] == pytest.approx(many["probabilities"], abs=1e-6)


def test_trace_of_the_example(tmp_path):
    report = run_json("trace", "--row", 3, cwd=tmp_path)
    stages = report["stages"]
    assert [stage["layer"] for stage in stages] == ["input", "Dense", "BatchNorm", "ReLU", "Dense"]
    assert [stage["shape"] for stage in stages] == [[1000, 20], [1000, 10], [1000, 10], [1000, 10], [1000, 3]]
    assert np.maximum(stages[2]["sample"], 0).tolist() == stages[3]["sample"]
    assert report["row"]["row"] == 3
    assert sum(report["row"]["probabilities"]) == pytest.approx(1, abs=1e-6)
    assert not (tmp_path / "runs").exists()


def test_trace_of_a_run(saved):
    folder = saved[0]
    text = run("trace", "run", "--row", 2, cwd=folder).stdout
    for fragment in (
        "stage 1: input  240 x 4",
        "  row 2     [",
        "stage 3: BatchNorm",
        "row 2 through every layer",
        "  layer          output\n  input          [",
        "prediction",
    ):
        assert fragment in text


def _same_model(left, right):
    return (left / "model.safetensors").read_bytes() == (right / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ("--momentum", 0.9),
        ("--optimizer", "adam"),
        ("--early-stopping", 4),
        ("--no-bn", "--class-weight", "balanced"),
    ],
)
def test_resume_equals_an_uninterrupted_run(tmp_path, options):
    whole = run_json("train", "--data", "iris", *options, "--epochs", 6, "--out", "whole", cwd=tmp_path)
    run("train", "--data", "iris", *options, "--epochs", 2, "--out", "parts", cwd=tmp_path)
    resumed = run_json("train", "--resume", "parts", "--epochs", 6, cwd=tmp_path)
    assert resumed["epochs"] == whole["epochs"]
    assert resumed["final"] == whole["final"]
    assert resumed.get("best_epoch") == whole.get("best_epoch")
    assert _same_model(tmp_path / "whole", tmp_path / "parts")


def _start(folder, *arguments):
    return subprocess.Popen(
        [*MINIBN, *map(str, arguments)],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _read_until(process, text):
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"{text!r} never came")


def test_resume_after_a_kill_in_the_middle_of_an_epoch(tmp_path):
    options = ("--data", "digits", "--momentum", 0.9, "--hidden", 128, "--epochs", 12)
    run("train", *options, "--out", "whole", cwd=tmp_path)
    process = _start(tmp_path, "train", *options, "--out", "killed")
    _read_until(process, "epoch 3/12")
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed/metrics.json").exists()
    run("train", "--resume", "killed", cwd=tmp_path)
    assert _same_model(tmp_path / "whole", tmp_path / "killed")
    whole, killed = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "killed")
    )
    assert whole["epochs"] == killed["epochs"]


def test_resume_refuses_other_data(tmp_path):
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        _write_csv(tmp_path / f"{seed}.csv", "ab", rng.standard_normal((40, 2)), np.arange(40) % 2)
    (tmp_path / "0.csv").replace(tmp_path / "data.csv")
    run("train", "--data", "data.csv", "--epochs", 1, "--out", "run", cwd=tmp_path)
    (tmp_path / "1.csv").replace(tmp_path / "data.csv")
    process = run("train", "--resume", "run", "--epochs", 2, cwd=tmp_path, code=2)
    assert "not the data" in process.stderr


def test_ctrl_c_exits_130_and_leaves_a_run_to_resume(tmp_path):
    process = _start(tmp_path, "train", "--data", "digits", "--epochs", 1000, "--out", "my run")
    _read_until(process, "epoch 2/1000")
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == 130
    lines = [line for line in rest.splitlines() if not line.startswith("training: epoch")]
    assert lines == ["interrupted; to continue: minibn train --resume 'my run'"]
    done = run_json("evaluate", "my run", cwd=tmp_path)["final"]["accuracy"]
    assert 0 < done <= 1


@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty", "text"])
def test_a_damaged_checkpoint_gives_one_line(saved, tmp_path, damage):
    whole = (saved[0] / "run/model.safetensors").read_bytes()
    content = {
        "truncated": whole[: len(whole) // 2],
        "foreign": _foreign(),
        "empty": b"",
        "text": b"not a checkpoint",
    }
    (tmp_path / "model.safetensors").write_bytes(content[damage])
    process = run("evaluate", "model.safetensors", cwd=tmp_path, code=2)
    assert len(process.stderr.strip().splitlines()) == 1


def _foreign():
    from safetensors.numpy import save

    return save({"weight": np.zeros((2, 2), np.float32)})


def test_a_run_is_found_from_another_folder(saved, tmp_path):
    report = run_json("evaluate", saved[0] / "run", cwd=tmp_path)
    assert report["final"] == saved[1]["final"]


def test_resume_keeps_the_threads_of_the_run(tmp_path):
    run("train", "--epochs", 1, "--threads", 2, "--out", "run", cwd=tmp_path)
    assert run_json("train", "--resume", "run", "--epochs", 2, cwd=tmp_path)["config"]["threads"] == 2
    report = run_json("train", "--epochs", 1, cwd=tmp_path, OPENBLAS_NUM_THREADS="2")
    assert report["config"]["threads"] == 2


def test_a_model_without_its_run_says_that_it_knows_the_rows(saved, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((saved[0] / "run/model.safetensors").read_bytes())
    text = run("evaluate", "model.safetensors", cwd=tmp_path).stdout
    assert "all 240 rows, those it was trained on among them" in text


def test_a_comparison_is_not_resumed_and_not_touched(tmp_path):
    run("compare", "--epochs", 1, "--out", "both", cwd=tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "both").iterdir() if path.is_file()}
    process = run("train", "--resume", "both", cwd=tmp_path, code=2)
    assert "holds a comparison" in process.stderr
    for command in ("evaluate", "predict", "trace"):
        process = run(command, "both", cwd=tmp_path, code=2)
        assert "both holds a comparison; pass both/with-bn or both/without-bn" in process.stderr
    assert run_json("evaluate", "both/without-bn", cwd=tmp_path)["rows"] == 1000
    assert {path: path.read_bytes() for path in (tmp_path / "both").iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("command", "flag"), [("train", "--resume"), ("train", "--out"), ("compare", "--out")]
)
def test_an_empty_folder_name_starts_no_run(tmp_path, command, flag):
    stderr = run(command, flag, "", cwd=tmp_path, code=2).stderr
    assert f"'{flag}': needs the name of a folder, got an empty one" in stderr
    assert not (tmp_path / "runs").exists()


def test_a_comparison_of_an_early_version_is_known_by_its_folders(tmp_path):
    run("compare", "--epochs", 1, "--out", "both", cwd=tmp_path)
    manifest = json.loads((tmp_path / "both/manifest.json").read_text())
    del manifest["kind"]
    (tmp_path / "both/manifest.json").write_text(json.dumps(manifest))
    assert "holds a comparison" in run("train", "--resume", "both", cwd=tmp_path, code=2).stderr


def test_a_run_of_an_early_version_is_resumed(tmp_path):
    run("train", "--epochs", 1, "--out", "run", cwd=tmp_path)
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    del manifest["kind"]
    (tmp_path / "run/manifest.json").write_text(json.dumps(manifest))
    assert len(run_json("train", "--resume", "run", "--epochs", 2, cwd=tmp_path)["epochs"]) == 2


def test_a_comparison_without_a_model_is_named(tmp_path):
    run("compare", "--lr", 1e30, "--out", "both", cwd=tmp_path)
    assert "neither arm completed an epoch" in run("evaluate", "both", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize("other", [("--seed", 1), ("--val-fraction", 0.4)])
def test_the_rows_of_another_run_are_refused(tmp_path, other):
    run("train", "--data", "iris", "--epochs", 1, "--out", "run", cwd=tmp_path)
    run("train", "--data", "iris", "--epochs", 1, "--out", "other", *other, cwd=tmp_path)
    (tmp_path / "other/training.safetensors").replace(tmp_path / "run/training.safetensors")
    process = run("evaluate", "run", cwd=tmp_path, code=2)
    assert "run/training.safetensors belongs to another run than the model beside it" in process.stderr
    assert run_json("evaluate", "run", "--all-rows", cwd=tmp_path)["rows"] == 150


def test_a_model_of_an_early_version_takes_the_rows_beside_it(tmp_path):
    from minibn.train.checkpoint import load_model, save_model

    run("train", "--data", "iris", "--epochs", 1, "--out", "run", cwd=tmp_path)
    model, about = load_model(tmp_path / "run")
    del about["split_digest"]
    save_model(tmp_path / "run/model.safetensors", model, about)
    assert run_json("evaluate", "run", cwd=tmp_path)["rows"] == 30


def test_data_that_have_moved(tmp_path):
    rng = np.random.default_rng(0)
    _write_csv(tmp_path / "data.csv", "ab", rng.standard_normal((40, 2)), np.arange(40) % 2)
    run("train", "--data", "data.csv", "--epochs", 1, "--out", "run", cwd=tmp_path)
    (tmp_path / "data.csv").replace(tmp_path / "moved.csv")
    place = f"the data of this run are no longer at {tmp_path / 'data.csv'}"
    assert f"{place}; pass --data" in run("evaluate", "run", cwd=tmp_path, code=2).stderr
    assert run_json("evaluate", "run", "--data", "moved.csv", cwd=tmp_path)["rows"] == 8
    resumed = run("train", "--resume", "run", "--epochs", 2, cwd=tmp_path, code=2)
    assert f"{place}; put the file back" in resumed.stderr


def test_values_that_overflow_are_named_by_row(saved, tmp_path):
    folder, _, x, _ = saved
    _write_csv(tmp_path / "new.csv", "abcd", np.where(np.arange(28).reshape(7, 4) == 9, 1e41, x[:7]))
    stderr = run("predict", folder / "run", "--data", "new.csv", cwd=tmp_path, code=2).stderr
    assert "column 'b', row 3: 1e+41 becomes larger than float32 holds" in stderr
