"""Files that cannot be written: one line with the path that was given, and what to do."""

import re

import numpy as np
import pytest
from command import run

from minibn import nn
from minibn.errors import CheckpointError, MinibnError, WriteError
from minibn.interop import to_onnx
from minibn.lab import Grid, sweep
from minibn.train import Settings, fit, save_model

MODEL = nn.mlp([4, 3], rng=0).eval()
GRID = Grid(Settings(data="example", epochs=1), {"lr": (0.1,)}, seeds=(0,))


def save_onnx(path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    to_onnx(MODEL, path)


WRITERS = {
    "model": lambda path: save_model(path, MODEL),
    "onnx": save_onnx,
    "sweep": lambda path: sweep(GRID, path),
}
PLACES = {
    "missing/there": r"there is no folder (.*there); make it first, Path\('\1'\)\.mkdir\(parents=True\)",
    "file": "file is a file; name a folder",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("writer", WRITERS)
def test_the_error_names_the_path_that_was_given(writer, place, tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / place / "written"
    with pytest.raises(
        WriteError, match=f"^{re.escape(str(path))} cannot be written: .*{PLACES[place]}$"
    ) as caught:
        WRITERS[writer](path)
    assert isinstance(caught.value, MinibnError) and isinstance(caught.value, OSError)
    assert "partial" not in str(caught.value) and "\n" not in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_remedy_works(tmp_path):
    path = tmp_path / "missing" / "model.safetensors"
    with pytest.raises(WriteError) as caught:
        save_model(path, MODEL)
    eval(str(caught.value).split("make it first, ")[1], {"Path": type(path)})
    save_model(path, MODEL)
    assert path.exists()


def test_a_folder_in_the_place_of_the_file(tmp_path):
    with pytest.raises(
        WriteError, match=f"^{re.escape(str(tmp_path))} cannot be written: it is a folder; name a file in it"
    ):
        save_model(tmp_path, MODEL)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_training_that_cannot_be_saved_does_not_begin(place, tmp_path):
    (tmp_path / "file").touch()
    model, played = nn.mlp([4, 3], rng=0), []
    with pytest.raises(
        WriteError, match=f"^{re.escape(str(tmp_path / place))} cannot be written: .*; give ano"
    ):
        fit(model, np.ones((8, 4)), np.arange(8) % 3, checkpoint=tmp_path / place, callbacks=[played.append])
    assert (
        not played
        and (model.state_dict()["0.weight"] == nn.mlp([4, 3], rng=0).state_dict()["0.weight"]).all()
    )


def test_training_that_is_refused_leaves_no_folder(tmp_path):
    with pytest.raises(CheckpointError):
        fit(
            MODEL, np.ones((8, 4)), np.arange(8) % 3, checkpoint=tmp_path / "new", resume=tmp_path / "missing"
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.subprocess
def test_a_command_names_it_too(tmp_path):
    (tmp_path / "run" / ".manifest.json.partial").mkdir(parents=True)  # refused by the system, for root too
    process = run("train", "--out", "run", "--epochs", 1, cwd=tmp_path, code=1)
    assert process.stderr.startswith("Error: run/manifest.json cannot be written: ")
    assert process.stderr.endswith("; make room or give another path\n")
