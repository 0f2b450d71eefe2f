"""What doctor, recalibrate and evaluate refuse, and what they leave alone."""

import json
import os
import shutil
from pathlib import Path

import pytest
from cases import needs_jit
from click.testing import CliRunner
from minibn_cli.commands import cli

pytestmark = needs_jit


def invoke(folder, *arguments):
    """Run a command inside this process, in a folder; return its result."""
    before = os.getcwd()  # noqa: PTH109
    os.chdir(folder)
    try:
        return CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
    finally:
        os.chdir(before)


def refusal(folder, *arguments):
    """Return the one line that a command is refused with."""
    error = invoke(folder, *arguments).exception
    assert error is not None, "nothing was refused"
    return getattr(error, "message", str(error))


def contents(folder):
    """Return every file of a folder with its bytes."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a run and a comparison."""
    folder = tmp_path_factory.mktemp("usage")
    for command in (
        ("train", "--data", "wine", "--epochs", 2, "--out", "well"),
        ("compare", "--data", "wine", "--epochs", 1, "--seeds", 2, "--out", "both"),
    ):
        result = invoke(folder, *command)
        assert result.exception is None, result.exception
    return folder


def test_recalibrate_replaces_no_other_kind_of_run(folder):
    before = contents(folder / "both")
    assert "both holds a run; use --overwrite" in refusal(folder, "recalibrate", "well", "--out", "both")
    assert contents(folder / "both") == before


def test_doctor_draws_into_no_other_run(folder):
    before = contents(folder / "both")
    assert "both holds another run" in refusal(folder, "doctor", "well", "--out", "both", "--report")
    assert contents(folder / "both") == before
    shutil.copytree(folder / "well", folder / "own")
    for out in ("own", "new", "new"):
        assert invoke(folder, "doctor", "own", "--out", out, "--report").exit_code in (0, 3)
        assert (folder / out / "report.html").exists()


@pytest.fixture(scope="module")
def gone(folder):
    """A run that diverged in its first epoch."""
    result = invoke(
        folder, "train", "--data", "wine", "--no-bn", "--lr", 1e30, "--epochs", 3, "--out", "gone"
    )
    assert "not finite at epoch 1" in getattr(result.exception, "message", "")
    assert not (folder / "gone" / "model.safetensors").exists()
    return folder / "gone"


def test_a_run_that_diverged_at_once_is_diagnosed(folder, gone):
    failed = json.loads((gone / "metrics.json").read_text())["failed"]
    result = invoke(folder, "doctor", "gone", "--report", "--json")
    found = json.loads(result.stdout)
    assert (result.return_value, found["healthy"], [f["name"] for f in found["faults"]]) == (
        3,
        False,
        ["diverging loss"],
    )
    (fault,) = found["faults"]
    for said in ("epoch 1", f"step {failed['step']}", failed["layer"], "learning rate 1e+30"):
        assert said in fault["figure"]
    assert "--lr 1e+29" in fault["remedy"]
    assert {item["why"] for item in found["not_checked"]} == {"the run holds no model"}
    page = (gone / "report.html").read_text()
    assert "not finite at epoch 1" in page and "holds no model" in page
    assert "diverged in epoch 1" in invoke(folder, "doctor", "gone").stdout


@pytest.mark.parametrize("command", ["evaluate", "predict", "recalibrate"])
def test_it_has_no_model_for_other_commands(folder, gone, command):
    assert "gone: the run diverged in epoch 1 and holds no model" in refusal(folder, command, "gone")


@pytest.mark.parametrize("command", ["doctor", "recalibrate", "evaluate"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("well", "--target", "foo"), "--target names a column of --data, got --target foo alone"),
     (("",), "needs a run folder or its model.safetensors, got an empty name"),
     (("swept",), "swept holds a sweep, and no model"),
     (("studied",), "studied holds a study, and no model"),
     (("searched",), "searched holds a search for a learning rate, and no model"),
     (("both",), "both holds a comparison; pass both/with-bn")],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_is_no_model_is_named(folder, others, command, arguments, said):
    before = contents(folder)
    assert said in refusal(folder, command, *arguments)
    assert contents(folder) == before


@pytest.fixture(scope="module")
def others(folder):
    """Folders of commands that leave no model."""
    small = ("--data", "wine", "--seeds", 1)
    for command in (
        ("sweep", *small, "--epochs", 1, "--lr", "0.1,0.2", "--jobs", 1, "--out", "swept"),
        ("lr-find", *small, "--steps", 20, "--out", "searched"),
        ("study", "scale-invariance", "--quick", "--out", "studied"),
    ):
        result = invoke(folder, *command)
        assert result.exception is None, result.exception
