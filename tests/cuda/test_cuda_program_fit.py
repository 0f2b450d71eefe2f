"""Training on CUDA through ``fit``: the histories of the CPU, checkpoints across devices, early stopping."""

import os

import numpy as np
import pytest

from minibn.data import load
from minibn.errors import ArgumentError
from minibn.nn import mlp
from minibn.program.cuda import program as cuda_program
from minibn.train import SGD, Adam, fit, prepare, run_epochs
from minibn.train.experiment import build
from minibn.train.settings import Settings

FIGURES = ("train_loss", "train_accuracy", "train_loss_eval", "val_loss", "val_accuracy")
FULL = os.environ.get("MINIBN_CUDA_FULL")
EXECUTORS = ("persistent", "stream")


@pytest.fixture(params=EXECUTORS)
def executor(request, monkeypatch):
    """Let the size rule choose one executor for every model."""
    monkeypatch.setattr(cuda_program, "ONE_BLOCK", 2**62 if request.param == "persistent" else -1)
    return request.param


def same_history(found, wanted):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted, strict=True):
        for name in FIGURES:
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-5, abs=1e-5), name


def headline(rows, epochs, device):
    """Train the headline example on its first rows, as ``minibn train`` does, and return records and model."""
    data = load("example", seed=0)
    model, x = mlp([20, 10, 3], rng=3), data.x.astype(np.float32)
    held = x[-rows // 4 :], data.y[-rows // 4 :]
    history = fit(model, x[:rows], data.y[:rows], epochs=epochs, validation=held, device=device)
    return history.records, model


def test_the_headline_example(executor):
    """On 128 rows for 2 epochs."""
    wanted, cpu = headline(128, 2, "cpu")
    found, cuda = headline(128, 2, "cuda")
    same_history(found, wanted)
    for name, value in cpu.state_dict().items():
        np.testing.assert_allclose(cuda.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not FULL, reason="takes minutes in the simulator; set MINIBN_CUDA_FULL=1")
def test_the_whole_headline_example(executor):
    settings = Settings()
    wanted, found = (
        list(run_epochs(experiment, build(experiment)))
        for experiment in (prepare(settings), prepare(Settings(device="cuda")))
    )
    same_history(found, wanted)


X = np.random.default_rng(4).standard_normal((26, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def trained(device, **options):
    model = mlp([4, 3, 2], rng=2)
    return fit(model, X, Y, batch_size=8, validation=0.25, device=device, **options), model


@pytest.mark.parametrize("make", [lambda: SGD(0.5, 0.9), lambda: Adam(0.05)], ids=["sgd", "adam"])
def test_class_weights_and_early_stopping(make):
    options = {"epochs": 4, "class_weight": "balanced", "early_stopping": 1}
    (wanted, cpu), (found, cuda) = (
        trained(device, optimizer=make(), **options) for device in ("cpu", "cuda")
    )
    same_history(found.records, wanted.records)
    assert found.best_epoch == wanted.best_epoch
    np.testing.assert_allclose(cuda.logits(X), cpu.logits(X), rtol=1e-4, atol=1e-5)


def test_weights_of_rows():
    weight = np.arange(26) % 3
    (wanted, _), (found, _) = (trained(d, epochs=2, sample_weight=weight) for d in ("cpu", "cuda"))
    same_history(found.records, wanted.records)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_resuming_on_another_device(tmp_path, first, second):
    wanted, _ = trained("cpu", epochs=3, optimizer=SGD(0.1, 0.9))
    trained(first, epochs=1, optimizer=SGD(0.1, 0.9), checkpoint=tmp_path)
    found, _ = trained(second, epochs=3, optimizer=SGD(0.1, 0.9), resume=tmp_path)
    same_history(found.records, wanted.records)


def test_callbacks_see_the_model_and_may_change_it():
    seen = []

    def callback(model, record):
        seen.append(model.state_dict()["0.weight"].copy())
        model.layers[0].weight.data[...] = 0

    trained("cuda", epochs=2, callbacks=[callback], optimizer=SGD(1e-9))
    assert np.abs(seen[0]).max() > 0.1
    assert np.abs(seen[1]).max() < 1e-6


def test_auto_is_cuda_where_it_can_be_used(monkeypatch):
    played = []
    monkeypatch.setattr(
        cuda_program.CudaProgram,
        "_player",
        lambda *a, own=cuda_program.CudaProgram._player: played.append(1) or own(*a),
    )
    trained("auto", epochs=1)
    assert played
    played.clear()
    fit(mlp([4, 3, 2], rng=2, dtype=np.float64), X, Y, epochs=1, device="auto")
    fit(mlp([4, 3, 2], rng=2), X, Y, epochs=1, device="auto", engine="eager")
    assert not played


def test_the_eager_engine_stays_on_the_cpu():
    with pytest.raises(ArgumentError, match="device 'cuda' needs engine='program', got 'eager'"):
        trained("cuda", engine="eager")
