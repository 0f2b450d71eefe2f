"""Checkpoints: what they hold, how they resume, and what happens to damaged ones."""

import json
import os
import signal
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from minibn import nn
from minibn.errors import CheckpointError, MinibnError
from minibn.train import (
    SGD,
    Adam,
    Checkpoint,
    EarlyStopping,
    Settings,
    build,
    epochs,
    fit,
    load_model,
    prepare,
    run_epochs,
    save_model,
)
from minibn.train.checkpoint import load_split


def blobs(rows=90):
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return (rng.standard_normal((rows, 4)) + 2 * np.eye(3, 4)[y]).astype(np.float32), y


def network(**options):
    return nn.mlp([4, 6, 3], **{"rng": 3, **options})


def states(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


def metadata(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["minibn"])


# resuming

RUNS = {
    "sgd": lambda: {"optimizer": SGD(0.1)},
    "momentum": lambda: {"optimizer": SGD(0.1, 0.9, nesterov=True, weight_decay=0.01)},
    "adam": lambda: {"optimizer": Adam(0.01)},
    "early stopping": lambda: {"optimizer": Adam(0.05), "early_stopping": 2, "validation": 0.3},
    "patient": lambda: {"optimizer": SGD(0.1, 0.5), "early_stopping": EarlyStopping(50), "validation": 0.3},
    "weights": lambda: {"optimizer": SGD(0.1), "class_weight": [1.0, 2.0, 3.0], "validation": 0.2},
}
TOTAL = 8


@pytest.mark.parametrize("stopped_after", [1, 3])
@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_equals_an_uninterrupted_one(name, stopped_after, tmp_path):
    x, y = blobs()
    whole, parts = network(), network()
    expected = fit(whole, x, y, epochs=TOTAL, checkpoint=tmp_path / "whole", **RUNS[name]())
    fit(parts, x, y, epochs=stopped_after, checkpoint=tmp_path / "parts", **RUNS[name]())
    resumed = network(rng=99)
    history = fit(
        resumed, x, y, epochs=TOTAL, checkpoint=tmp_path / "parts", resume=tmp_path / "parts", **RUNS[name]()
    )
    assert history == expected
    assert states(resumed) == states(whole)
    for file in ("model.safetensors", "training.safetensors"):
        ours, theirs = load_file(tmp_path / "parts" / file), load_file(tmp_path / "whole" / file)
        assert {k: v.tobytes() for k, v in ours.items()} == {k: v.tobytes() for k, v in theirs.items()}


def test_resuming_a_finished_run_adds_nothing(tmp_path):
    x, y = blobs()
    model, again = network(), network(rng=9)
    history = fit(model, x, y, epochs=3, checkpoint=tmp_path)
    assert fit(again, x, y, epochs=3, resume=tmp_path) == history
    assert states(again) == states(model)


def test_skipped_batches_are_remembered(tmp_path):
    x, y = blobs()
    model = network()
    model.layers[1].num_batches_skipped = 4
    fit(model, x, y, epochs=1, checkpoint=tmp_path)
    again = network()
    fit(again, x, y, epochs=1, resume=tmp_path)
    assert again.layers[1].num_batches_skipped == 4


DIFFERENT = [
    ({"seed": 1}, "seed"), ({"batch_size": 16}, "batch_size"), ({"optimizer": Adam()}, "optimizer"),
    ({"optimizer": SGD(0.2)}, "learning_rate"), ({"early_stopping": 2, "validation": 0.5}, "rows"),
    ({"loss": "squared_error"}, "loss"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "name"), DIFFERENT)
def test_resume_needs_the_same_options(options, name, tmp_path):
    x, y = blobs()
    fit(network(), x, y, epochs=1, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match=f"same {name} as the saved run: it was"):
        fit(network(), x, np.eye(3)[y] if "loss" in options else y, epochs=2, resume=tmp_path, **options)


def test_resume_needs_the_same_architecture(tmp_path):
    x, y = blobs()
    fit(network(), x, y, epochs=1, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="missing|unknown"):
        fit(network(bn=False), x, y, epochs=2, resume=tmp_path)


SLOW = """
    import sys, time
    from minibn import nn
    from minibn.train import Settings, build, prepare, run_epochs
    import minibn.nn.losses as losses

    class SoftmaxCrossEntropy(losses.SoftmaxCrossEntropy):
        stop_at = None

        def __call__(self, output, target):
            type(self).stop_at -= 1
            if type(self).stop_at == 0:
                print("in the middle of an epoch", flush=True)
                time.sleep(300)
            return super().__call__(output, target)

    losses.LOSSES["softmax_cross_entropy"] = SoftmaxCrossEntropy
    import minibn.train.fit
    SoftmaxCrossEntropy.stop_at = int(sys.argv[2])
    experiment = prepare(Settings(seed=3, epochs=6, momentum=0.9, early_stopping=5))
    for record in run_epochs(experiment, build(experiment), sys.argv[1], engine="eager"):
        print(record.epoch, flush=True)
"""
CALLS_A_EPOCH = 32 + 2  # batches of the example, and two evaluations


def killed_in_the_middle(folder, epoch):
    """Start a run in a process of its own and kill it halfway through an epoch."""
    calls = 1 + CALLS_A_EPOCH * (epoch - 1) + 16  # the rehearsal comes first
    command = [sys.executable, "-c", textwrap.dedent(SLOW), str(folder), str(calls)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        lines = []
        for line in child.stdout:
            lines.append(line.strip())
            if "middle" in line:
                os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    return lines


@pytest.mark.subprocess
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    assert killed_in_the_middle(tmp_path / "run", 3) == ["1", "2", "in the middle of an epoch"]
    settings = Settings(seed=3, epochs=6, momentum=0.9, early_stopping=5)
    experiment = prepare(settings)
    whole, resumed = build(experiment), build(experiment)
    expected = list(run_epochs(experiment, whole, tmp_path / "whole", engine="eager"))
    later = list(run_epochs(experiment, resumed, tmp_path / "run", resume=tmp_path / "run", engine="eager"))
    assert later == expected[2:]
    assert states(resumed) == states(whole)
    assert metadata(tmp_path / "run" / "training.safetensors")["epoch"] == 6
    assert not list((tmp_path / "run").glob(".*"))


# what a run folder holds


def test_run_folder(tmp_path):
    experiment = prepare(Settings(data="example", epochs=2, seed=1))
    model = build(experiment)
    list(run_epochs(experiment, model, tmp_path / "new" / "run"))
    assert sorted(p.name for p in (tmp_path / "new" / "run").iterdir()) == [
        "model.safetensors",
        "training.safetensors",
    ]
    facts = metadata(tmp_path / "new" / "run" / "model.safetensors")
    assert facts["format"] == "minibn"
    assert facts["architecture"] == model.config()
    assert facts["conventions"]["dense_weight"] == "(out, in)"
    assert facts["description"] == experiment.description
    assert set(load_file(tmp_path / "new" / "run" / "model.safetensors")) == set(model.state_dict())
    parts = load_split(tmp_path / "new" / "run")
    np.testing.assert_array_equal(parts["train"], experiment.train_rows)
    np.testing.assert_array_equal(parts["validation"], experiment.validation_rows)
    training = metadata(tmp_path / "new" / "run" / "training.safetensors")
    assert training["random_state"] == {"seed": 1, "epoch": 2}
    assert [record["epoch"] for record in training["history"]] == [1, 2]


def test_a_split_of_a_fraction_is_stored(tmp_path):
    x, y = blobs()
    fit(network(), x, y, epochs=1, validation=0.2, checkpoint=Checkpoint(tmp_path, {"a": [1]}))
    parts = load_split(tmp_path)
    assert sorted([*parts["train"], *parts["validation"]]) == list(range(90))
    assert load_model(tmp_path)[1] == {"a": [1]}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_round_trip(tmp_path, dtype):
    model, x = network(dtype=dtype), blobs()[0]
    model(x)
    model.layers[1].freeze()
    save_model(tmp_path / "m.safetensors", model, {"labels": ["a", "ü"]})
    again, description = load_model(tmp_path / "m.safetensors")
    assert description == {"labels": ["a", "ü"]}
    assert states(again) == states(model)
    assert again.dtype == dtype
    assert not again.training
    assert again.layers[1].frozen
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


def test_the_model_of_a_run_has_the_best_weights(tmp_path):
    x, y = blobs()
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 4)), rng.integers(0, 3, 40)
    model = network()
    options = {"epochs": 60, "optimizer": SGD(0.5), "validation": noise, "early_stopping": 3}
    history = fit(model, x, y, checkpoint=tmp_path, **options)
    assert history.stopped_early
    assert states(load_model(tmp_path)[0]) == states(model)


def test_torch_loads_the_weights(tmp_path):
    torch = pytest.importorskip("torch")
    model, x = network(), blobs()[0]
    model(x)
    save_model(tmp_path / "m.safetensors", model)
    peer = torch.nn.Sequential(
        torch.nn.Linear(4, 6, bias=False), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    )
    state = {name: torch.from_numpy(value) for name, value in load_file(tmp_path / "m.safetensors").items()}
    peer.load_state_dict(state)
    scores = peer.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(scores, model.logits(x), atol=1e-5)


# damaged files


def saved(folder):
    x, y = blobs()
    fit(network(), x, y, epochs=1, checkpoint=folder)
    return folder / "model.safetensors"


def rewritten(path, **changed):
    """Write a file again with other metadata; None leaves an entry out."""
    facts = {key: value for key, value in {**metadata(path), **changed}.items() if value is not None}
    save_file(load_file(path), path, {"minibn": json.dumps(facts)})


def huge(size):
    return {"layers": [{"layer": "Dense", "in_features": size, "out_features": size}]}


DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "truncated header": lambda p: p.write_bytes(p.read_bytes()[:50]),
    "truncated data": lambda p: p.write_bytes(p.read_bytes()[:-10]),
    "text": lambda p: p.write_text("hello, this is not a checkpoint at all"),
    "header of 2**63": lambda p: p.write_bytes(struct.pack("<Q", 2**63) + b"{}"),
    "header that is no JSON": lambda p: p.write_bytes(struct.pack("<Q", 8) + b"{{{{{{{{"),
    "pickle": lambda p: p.write_bytes(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94."),
    "no metadata": lambda p: save_file({"a": np.ones(3)}, p),
    "another format": lambda p: save_file({"a": np.ones(3)}, p, {"format": "pt"}),
    "metadata that is no JSON": lambda p: save_file({"a": np.ones(3)}, p, {"minibn": "pt"}),
    "metadata that is a list": lambda p: save_file({"a": np.ones(3)}, p, {"minibn": "[1]"}),
    "metadata of another kind": lambda p: save_file({"a": np.ones(3)}, p, {"minibn": '{"format": "onnx"}'}),
    "no architecture": lambda p: rewritten(p, architecture=None),
    "no description": lambda p: rewritten(p, description=None),
    "no dtype": lambda p: rewritten(p, dtype=None),
    "dtype of objects": lambda p: rewritten(p, dtype="object"),
    "unknown layer": lambda p: rewritten(p, architecture={"layers": [{"layer": "System"}]}),
    "layers that are numbers": lambda p: rewritten(p, architecture={"layers": [1]}),
    "layers that are text": lambda p: rewritten(p, architecture={"layers": ["Dense"]}),
    "layer name that is a list": lambda p: rewritten(p, architecture={"layers": [{"layer": ["Dense"]}]}),
    "architecture that is a list": lambda p: rewritten(p, architecture=[1]),
    "other sizes": lambda p: rewritten(p, architecture={"layers": [{"layer": "BatchNorm", "features": 3}]}),
    "negative sizes": lambda p: rewritten(p, architecture=huge(-3)),
    "sizes that are text": lambda p: rewritten(p, architecture=huge("a")),
    "more memory than there is": lambda p: rewritten(p, architecture=huge(10**7)),
    "numbers beyond 64 bits": lambda p: rewritten(p, architecture=huge(10**30)),
    "deeply nested": lambda p: save_file({"a": np.ones(3)}, p, {"minibn": "[" * 100_000 + "]" * 100_000}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_model_is_a_checkpoint_error(name, tmp_path):
    path = saved(tmp_path)
    DAMAGE[name](path)
    with pytest.raises(CheckpointError, match="model.safetensors") as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


TRAINING_DAMAGE = {
    "truncated": lambda p: p.write_bytes(p.read_bytes()[:-10]),
    "no options": lambda p: rewritten(p, options=None),
    "options that are a list": lambda p: rewritten(p, options=[1]),
    "history of numbers": lambda p: rewritten(p, history=[1, 2]),
    "history of another shape": lambda p: rewritten(p, history=[{"epoch": 1}]),
    "no steps": lambda p: rewritten(p, optimizer_steps=None),
    "too few layers": lambda p: rewritten(p, skipped=[0]),
    "a model": lambda p: save_model(p, network()),
}


@pytest.mark.parametrize("name", TRAINING_DAMAGE)
def test_a_damaged_training_state_is_a_checkpoint_error(name, tmp_path):
    saved(tmp_path)
    TRAINING_DAMAGE[name](tmp_path / "training.safetensors")
    with pytest.raises(CheckpointError, match="training.safetensors"):
        fit(network(), *blobs(), epochs=2, resume=tmp_path)


@pytest.mark.parametrize("name", ["", "nothing", "nothing.safetensors"])
def test_no_checkpoint(name, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at .*run folder"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("share", [k / 20 for k in range(20)])
def test_a_file_cut_anywhere_is_a_checkpoint_error(share, tmp_path):
    path = saved(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError):
        load_model(path)


# writes that fail

FULL_DISK = """
    import resource, signal, sys
    import numpy as np
    from minibn import nn
    from minibn.train import save_model

    small, large = nn.mlp([4, 6, 3]), nn.mlp([400, 600, 3])
    save_model(sys.argv[1], small, {"which": "old"})
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        save_model(sys.argv[1], large, {"which": "new"})
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.subprocess
def test_a_failed_write_leaves_the_old_file_whole(python, tmp_path):
    pytest.importorskip("resource", reason="the system has no resource limits")
    import errno

    folder = tmp_path / "run"
    folder.mkdir()
    assert int(python(FULL_DISK, folder / "model.safetensors")) == errno.EFBIG
    model, description = load_model(folder)
    assert description == {"which": "old"}
    assert model.in_features == 4
    assert [path.name for path in folder.iterdir()] == ["model.safetensors"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        fit(network(), *blobs(), epochs=1, checkpoint=tmp_path / "file")


def test_every_epoch_is_saved(tmp_path):
    seen = []
    for record in epochs(network(), *blobs(), epochs=3, checkpoint=tmp_path):
        seen.append((record.epoch, metadata(tmp_path / "training.safetensors")["epoch"]))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_resume_refuses_other_rows_and_a_smaller_total(tmp_path):
    x, y = blobs()
    fit(network(), x, y, epochs=3, checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="same data"):
        fit(network(), x + 1, y, epochs=4, resume=tmp_path)
    with pytest.raises(MinibnError, match="at least the 3 done"):
        fit(network(), x, y, epochs=2, resume=tmp_path)
