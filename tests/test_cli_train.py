"""``minibn train`` and ``minibn compare`` through real processes."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from command import run, run_json

pytestmark = pytest.mark.subprocess

FINAL = {
    "accuracy", "balanced_accuracy", "majority_baseline", "precision", "recall", "f1", "mcc", "confusion_matrix",
    "labels", "per_class",
}  # fmt: skip
EPOCH = {"epoch", "train_loss", "train_accuracy", "train_loss_eval", "val_loss", "val_accuracy"}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    return folder, run_json("train", "--out", "run", cwd=folder)


def test_json_has_the_documented_shape(example):
    _, report = example
    assert set(report) == {"command", "config", "epochs", "final", "files"}
    assert report["command"] == "train"
    assert [set(epoch) for epoch in report["epochs"]] == [EPOCH] * 5
    assert set(report["final"]) >= FINAL


def test_defaults_of_the_example(example):
    config = example[1]["config"]
    expected = {
        "data": "example",
        "bn": True,
        "hidden": [10],
        "epochs": 5,
        "batch_size": 32,
        "lr": 0.01,
        "scale": "none",
    }
    assert {name: config[name] for name in expected} == expected


def test_defaults_of_other_data(tmp_path):
    config = run_json("train", "--data", "wine", "--epochs", 1, cwd=tmp_path)["config"]
    expected = {
        "hidden": [64],
        "batch_size": 32,
        "lr": 0.1,
        "scale": "standard",
        "val_fraction": 0.2,
        "seed": 0,
    }
    assert {name: config[name] for name in expected} == expected


def test_every_named_file_is_there_and_whole(example):
    folder, report = example
    files = {role: folder / path for role, path in report["files"].items()}
    assert all(path.exists() for path in files.values())
    assert files["plot_png"].read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(files["plot_svg"]).getroot().tag.endswith("svg")
    assert json.loads(files["metrics"].read_text()) == report
    manifest = json.loads(files["manifest"].read_text())
    assert set(manifest) >= {"versions", "seed", "settings", "data"}
    assert len(manifest["data"]["sha256"]) == 64


def test_one_seed_fixes_everything(example, tmp_path):
    again = run_json("train", "--out", "run", cwd=tmp_path)
    assert again["epochs"] == example[1]["epochs"]
    assert again["final"] == example[1]["final"]
    assert (tmp_path / "run/model.safetensors").read_bytes() == (
        example[0] / "run/model.safetensors"
    ).read_bytes()
    other = run_json("train", "--seed", 1, cwd=tmp_path)
    assert other["epochs"] != again["epochs"]


def test_text_output(tmp_path):
    process = run("train", cwd=tmp_path)
    for fragment in (
        "20 - 10 - 3",
        "documents: loss",
        "1.20",
        "always the largest class",
        "confusion matrix",
        "epoch",
        "|*",
    ):
        assert fragment in process.stdout
    assert "epoch 5/5" in process.stderr
    assert "\r" not in process.stderr, "a bar belongs on a terminal only"
    assert "epoch 5/5" not in process.stdout


def test_final_is_that_of_the_best_weights(tmp_path):
    options = ("--data", "iris", "--early-stopping", 2, "--epochs", 60, "--lr", 0.5, "--out", "run")
    report = run_json("train", *options, cwd=tmp_path)
    best = min(report["epochs"], key=lambda epoch: epoch["val_loss"])
    assert report["best_epoch"] == best["epoch"] < len(report["epochs"])
    assert report["final"]["accuracy"] == pytest.approx(best["val_accuracy"], abs=1e-12)
    assert run_json("evaluate", "run", cwd=tmp_path)["final"] == report["final"]


def test_a_diverged_run_fails_with_its_place(tmp_path):
    report = run_json("train", "--no-bn", "--lr", 1e6, cwd=tmp_path, code=1)
    assert set(report["failed"]) == {"epoch", "step", "layer"}
    assert report["final"] is None
    process = run("train", "--no-bn", "--lr", 1e6, cwd=tmp_path, code=1)
    assert process.stderr.strip().splitlines()[-1].startswith("Error: diverged")


@pytest.mark.parametrize("data", ["wine", "digits", "iris", "breast-cancer"])
def test_bundled_data(tmp_path, data):
    pytest.importorskip("sklearn")
    final = run_json("train", "--data", data, "--epochs", 5, cwd=tmp_path)["final"]
    assert final["accuracy"] > final["majority_baseline"] + 0.2


def test_options_reach_the_run(tmp_path):
    options = {
        "--hidden": 7, "--depth": 2, "--activation": "tanh", "--epochs": 2, "--batch-size": 50, "--optimizer": "sgd",
        "--lr": 0.2, "--momentum": 0.5, "--weight-decay": 0.001, "--bn-momentum": 0.2, "--bn-eps": 0.001,
        "--class-weight": "balanced", "--init-scale": 0.5, "--shift-inputs": 2.0, "--scale": "standard",
        "--val-fraction": 0.3, "--early-stopping": 3, "--seed": 4, "--threads": 1,
    }  # fmt: skip
    flat = [str(part) for pair in options.items() for part in pair]
    config = run_json("train", "--data", "iris", *flat, cwd=tmp_path)["config"]
    for flag, value in options.items():
        name = flag.lstrip("-").replace("-", "_")
        if name not in ("hidden", "depth"):
            assert config[name] == value, name
    assert config["hidden"] == [7, 7]


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    run("train", "--out", "run", "--epochs", 1, cwd=tmp_path)
    before = (tmp_path / "run/model.safetensors").read_bytes()
    process = run("train", "--out", "run", "--epochs", 2, cwd=tmp_path, code=2)
    assert "--overwrite" in process.stderr
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    run("train", "--out", "run", "--epochs", 2, "--overwrite", cwd=tmp_path)
    assert (tmp_path / "run/model.safetensors").read_bytes() != before


def test_default_folders_do_not_collide(tmp_path):
    for _ in range(2):
        run("train", "--epochs", 1, cwd=tmp_path)
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(folders) == 2
    assert all(name.startswith("example-bn-0-") for name in folders)


def _npz_with_test_part(path):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = (rng.random((200, 4, 3)) * 100 + 60 * y[:, None, None]).astype(np.uint8)
    np.savez(path, x_train=x[:150], y_train=y[:150], x_test=x[150:], y_test=y[150:])


def test_npz_with_a_part_of_its_own_to_validate_on(tmp_path):
    _npz_with_test_part(tmp_path / "images.npz")
    report = run_json("train", "--data", "images.npz", "--epochs", 3, cwd=tmp_path)
    assert sum(map(sum, report["final"]["confusion_matrix"])) == 50


@pytest.fixture
def flowers(tmp_path):
    pandas = pytest.importorskip("pandas")
    datasets = pytest.importorskip("sklearn.datasets")
    iris = datasets.load_iris()
    frame = pandas.DataFrame(iris.data, columns=["a", "b", "c", "d"]).assign(
        kind=iris.target_names[iris.target]
    )
    frame = frame[frame.kind != "setosa"]
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    return frame


def test_csv_with_text_labels_and_a_positive_class(tmp_path, flowers):
    report = run_json("train", "--data", "flowers.csv", "--target", "kind", "--epochs", 5, cwd=tmp_path)
    swapped = run_json(
        "train", "--data", "flowers.csv", "--positive", "versicolor", "--epochs", 5, cwd=tmp_path
    )
    assert report["final"]["labels"] == ["versicolor", "virginica"]
    first, second = report["final"]["per_class"]
    assert report["final"]["recall"] == second["recall"]
    assert swapped["final"]["recall"] == first["recall"]


def test_parquet_equals_csv(tmp_path, flowers):
    pytest.importorskip("pyarrow")
    flowers.to_parquet(tmp_path / "flowers.parquet")
    options = ("--target", "kind", "--epochs", 2)
    csv, parquet = (
        run_json("train", "--data", f"flowers.{kind}", *options, cwd=tmp_path) for kind in ("csv", "parquet")
    )
    assert csv["epochs"] == parquet["epochs"]


def test_duplicates_are_counted_and_dropped(tmp_path, flowers):
    kept = flowers.drop_duplicates()
    copies = len(flowers) - len(kept) + 30
    import pandas

    pandas.concat([flowers, flowers.iloc[:30]]).to_csv(tmp_path / "twice.csv", index=False)
    said = run("train", "--data", "twice.csv", "--epochs", 1, cwd=tmp_path).stdout
    assert f"{copies} rows repeat an earlier one" in said
    report = run_json(
        "train", "--data", "twice.csv", "--epochs", 1, "--drop-duplicates", "--out", "run", cwd=tmp_path
    )
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["data"]["rows"] == len(kept)
    assert run_json("evaluate", "run", cwd=tmp_path)["final"] == report["final"]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return folder, run_json("compare", "--out", "both", cwd=folder)


def test_compare_has_the_documented_shape(comparison):
    folder, report = comparison
    assert set(report) >= {"command", "config", "with_bn", "without_bn"}
    for key in ("with_bn", "without_bn"):
        assert set(report[key]) >= {"command", "config", "epochs", "final", "files"}
        assert len(report[key]["epochs"]) == 10
        assert (folder / report[key]["files"]["model"]).exists()
    assert (folder / report["files"]["plot_png"]).read_bytes().startswith(b"\x89PNG")


def test_compare_differs_in_batch_norm_alone(comparison):
    _, report = comparison
    arms = [report["with_bn"]["config"], report["without_bn"]["config"]]
    assert {name for name in arms[0] if arms[0][name] != arms[1][name]} == {"bn"}


def test_an_arm_equals_the_run_of_train(comparison, tmp_path):
    alone = run_json("train", "--no-bn", "--epochs", 10, cwd=tmp_path)
    assert alone["epochs"] == comparison[1]["without_bn"]["epochs"]


def test_compare_tells_that_the_example_needs_no_batch_norm(comparison):
    losses = [comparison[1][key]["epochs"][-1]["train_loss"] for key in ("with_bn", "without_bn")]
    assert losses[1] < losses[0]


def test_a_diverged_arm_is_a_result(tmp_path):
    report = run_json("compare", "--lr", 1e6, cwd=tmp_path)
    assert "failed" in report["without_bn"]
    assert report["difference"]["diverged_without_bn"] == report["difference"]["n"] == 20
    text = run("compare", "--lr", 1e6, "--seeds", 1, cwd=tmp_path).stdout
    assert "without batch norm: diverged" in text


@pytest.mark.parametrize(
    "setting",
    [("--lr", 1), ("--lr", 0.3, "--shift-inputs", 5), ("--depth", 5, "--init-scale", 0.1)],
)
def test_where_batch_norm_helps(tmp_path, setting):
    report = run_json("compare", *setting, cwd=tmp_path)
    assert report["with_bn"]["final"]["accuracy"] > report["without_bn"]["final"]["accuracy"] + 0.2


def test_compare_text(tmp_path):
    text = run("compare", "--seeds", 1, cwd=tmp_path).stdout
    for fragment in (
        "with batch norm",
        "without batch norm",
        "confusion matrix without batch norm",
        "documents: with",
    ):
        assert fragment in text
    assert not list(Path(tmp_path).glob("*.png"))


def test_overwrite_removes_the_arms_of_an_earlier_comparison(tmp_path):
    run("compare", "--epochs", 1, "--out", "both", cwd=tmp_path)
    report = run_json("compare", "--lr", 1e30, "--out", "both", "--overwrite", cwd=tmp_path)
    assert report["with_bn"]["final"] is None
    assert "model" not in report["with_bn"]["files"]
    assert not list((tmp_path / "both").glob("*/model.safetensors"))


def test_an_interrupted_comparison_begins_again(tmp_path):
    run("compare", "--epochs", 1, "--seeds", 2, "--out", "both", cwd=tmp_path)
    assert "holds a run" in run("compare", "--epochs", 1, "--out", "both", cwd=tmp_path, code=2).stderr
    (tmp_path / "both/metrics.json").unlink()  # an interrupted one has none yet
    run("compare", "--epochs", 1, "--seeds", 2, "--out", "both", cwd=tmp_path)


def test_dropping_duplicates_must_leave_two_rows_of_a_class(tmp_path):
    rows = [f"{i},{i % 5},{'ab'[i % 2]}" for i in range(20)] + ["7,7,rare", "7,7,rare"]
    (tmp_path / "data.csv").write_text("\n".join(["x,y,kind", *rows]) + "\n")
    process = run("train", "--data", "data.csv", "--drop-duplicates", cwd=tmp_path, code=2)
    assert "'rare' has fewer than two training rows that differ" in process.stderr
