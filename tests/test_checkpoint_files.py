"""Model files for others: what PyTorch makes of them, and what hostile ones do here."""

import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from safetensors.numpy import load_file

from minibn import nn
from minibn.errors import CheckpointError
from minibn.train import SGD, fit, load_model, save_model

X = np.random.default_rng(0).normal(1, 2, (60, 4))
Y = np.arange(60) % 3


def norm_first(dtype):
    return nn.Sequential(nn.BatchNorm(4, dtype=dtype), nn.Dense(4, 3, rng=2, dtype=dtype))


def every_kind(dtype):
    return nn.Sequential(
        nn.Dense(4, 7, rng=0, dtype=dtype), nn.Sigmoid(), nn.BatchNorm(7, None, 0.1, affine=False, dtype=dtype),
        nn.Dense(7, 5, bias=False, rng=1, dtype=dtype), nn.Tanh(), nn.Dense(5, 3, rng=2, dtype=dtype),
    )  # fmt: skip


NETWORKS = {
    "mlp": lambda dtype: nn.mlp([4, 8, 6, 3], rng=1, dtype=dtype),
    "plain": lambda dtype: nn.mlp([4, 8, 3], rng=1, bn=False, activation="sigmoid", dtype=dtype),
    "norm first": norm_first, "every kind": every_kind,
}  # fmt: skip


def equivalent(torch, model, dtype):
    """Build by hand what a user of PyTorch would write for the same architecture."""
    made = {
        "Dense": lambda a: torch.nn.Linear(a["in_features"], a["out_features"], bias=a["bias"], dtype=dtype),
        "BatchNorm": lambda a: torch.nn.BatchNorm1d(
            a["features"], eps=a["eps"], momentum=a["momentum"], affine=a["affine"], dtype=dtype
        ),
    }
    layers = [(type(layer).__name__, layer.config()) for layer in model.layers]
    return torch.nn.Sequential(
        *(made[kind](config) if kind in made else getattr(torch.nn, kind)() for kind, config in layers)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_loads_strictly_into_pytorch(name, dtype, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from safetensors.torch import load_file as load_tensors

    model = NETWORKS[name](np.dtype(dtype))
    fit(model, X, Y, epochs=2, optimizer=SGD(0.1))  # afterwards the arrays are views of a program's arena
    save_model(tmp_path / "m.safetensors", model)
    state = load_tensors(tmp_path / "m.safetensors")
    assert all(tensor.is_contiguous() for tensor in state.values())
    peer = equivalent(torch, model, getattr(torch, dtype))
    peer.load_state_dict(state, strict=True)
    scores = peer.eval()(torch.tensor(X, dtype=getattr(torch, dtype))).detach().numpy()
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    assert np.abs(scores - model.logits(X)).max() < tolerance * np.abs(scores).max()


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda a: a[::-1][::-1], lambda a: np.repeat(a, 2, 0)[::2]]
)
def test_arrays_of_any_layout_are_saved_as_they_read(layout, tmp_path):
    """safetensors writes the memory of an array that is not contiguous, in its order, without a word."""
    model = nn.mlp([4, 8, 3], rng=1).eval()
    wanted = model.logits(X)
    for tensor in model.parameters().values():
        tensor.data = layout(tensor.data)
    model.layers[1].running_var = layout(np.linspace(1, 2, 8))
    wanted = model.logits(X)
    save_model(tmp_path / "m.safetensors", model)
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors")[0].logits(X), wanted)
    stored = load_file(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(stored["0.weight"], model.layers[0].weight.data.T)


# hostile files


class Bomb:
    """What a pickle runs when it is loaded."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"echo boom > '{self.canary}'",)


def torch_file(path, bomb):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.save({"0.weight": torch.ones(2), "bomb": bomb}, path)


def numpy_file(path, bomb):
    with path.open("wb") as file:
        np.savez(file, bomb=np.array([bomb], dtype=object))


CARRIERS = {
    "pickle": lambda path, bomb: path.write_bytes(pickle.dumps(bomb)),
    "numpy": numpy_file,
    "torch": torch_file,
}


@pytest.mark.parametrize("name", CARRIERS)
def test_a_hostile_file_runs_nothing(name, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.safetensors"
    CARRIERS[name](path, Bomb(canary))
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert not canary.exists()
    if name == "pickle":  # the bomb is a live one
        pickle.loads(path.read_bytes())
        assert canary.exists()


def crafted(path, change):
    """Write a model, then its file again with another header."""
    save_model(path, nn.mlp([4, 3], rng=0))
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    change(header)
    text = header["raw"].encode() if "raw" in header else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + whole[8 + size :])


def entry(name, **changed):
    return lambda header: header[name].update(changed)


HEADERS = {
    "bfloat16": entry("0.weight", dtype="BF16", shape=[3, 8]),
    "eight bits": entry("0.weight", dtype="F8_E4M3", shape=[3, 16]),
    "whole numbers of another shape": entry("0.weight", dtype="U8", shape=[48]),
    "beyond the end": entry("0.weight", data_offsets=[0, 10**9], shape=[3, 10**8]),
    "overlapping": entry("0.bias", data_offsets=[4, 16]),
    "backwards": entry("0.bias", data_offsets=[12, 0]),
    "negative": entry("0.bias", data_offsets=[-12, 0]),
    "overflowing shape": entry("0.weight", shape=[2**62, 2**62]),
    "unknown dtype": entry("0.weight", dtype="OBJECT"),
    "a hole": lambda header: header.pop("0.bias"),
    "metadata that is a number": lambda header: header["__metadata__"].update(minibn=1),
    "header that is a list": lambda header: header.update(raw="[1, 2]"),
    "header that is nested": lambda header: header.update(raw="[" * 10_000),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_crafted_header_is_one_line(name, tmp_path):
    path = tmp_path / "model.safetensors"
    crafted(path, HEADERS[name])
    with pytest.raises(CheckpointError, match="model.safetensors") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


# killed while saving

KILLED = """
    import os, sys, time
    from pathlib import Path
    from minibn import nn
    from minibn.train import save_model

    path, moment = sys.argv[1:]
    save_model(path, nn.mlp([4, 6, 3]), {"which": "old"})
    def stop(*arguments):
        print("saving", flush=True)
        time.sleep(300)
    if moment == "before the data is on disk":
        os.fsync = stop
    else:
        Path.replace = stop
    save_model(path, nn.mlp([40, 60, 3]), {"which": "new"})
"""


@pytest.mark.subprocess
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
@pytest.mark.parametrize("moment", ["before the data is on disk", "before the rename"])
def test_a_killed_save_leaves_the_old_file_whole(moment, tmp_path):
    path = tmp_path / "model.safetensors"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "saving\n"
        os.kill(child.pid, signal.SIGKILL)
    model, description = load_model(path)
    assert (description, model.in_features) == ({"which": "old"}, 4)
    save_model(path, nn.mlp([5, 3]), {"which": "next"})  # what the killed one left is in nobody's way
    assert load_model(path)[1] == {"which": "next"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]
