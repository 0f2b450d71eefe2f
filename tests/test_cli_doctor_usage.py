"""What doctor, recalibrate and evaluate refuse, and what they leave alone."""

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
