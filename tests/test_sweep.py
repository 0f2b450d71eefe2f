"""Grids, their trials on any executor, and the file that keeps them."""

import json
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from minibn.errors import ArgumentError, DataError, DtypeError, WorkerError
from minibn.lab import Grid, run, sweep
from minibn.lab.sweeps.dispatch import played
from minibn.lab.sweeps.executors import InProcess, dask_cluster, mpi_pool
from minibn.lab.sweeps.trial_file import TrialFile, stored_grid
from minibn.train import Settings, prepare


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Forty rows of two classes: small enough for the interpreter."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 3)), np.arange(40) % 2
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(path, x=x + 2 * y[:, None] * [1, -1, 0], y=y)
    return path


@pytest.fixture(scope="module")
def grid(data):
    settings = Settings(data=str(data), hidden=(4,), epochs=2, batch_size=8)
    return Grid(settings, {"lr": (0.1, 1.0, 1e9), "activation": ("relu", "tanh")}, (0, 1, 5))


@pytest.fixture(scope="module")
def finished(grid, tmp_path_factory):
    """Bytes of an uninterrupted sweep."""
    path = tmp_path_factory.mktemp("finished") / "trials.jsonl"
    sweep(grid, path)
    return path.read_bytes()


def test_trials_are_pairs_of_every_cell_and_seed(grid):
    assert len(grid.cells) == 6
    assert grid.cells[1] == {"lr": 0.1, "activation": "tanh"}
    assert [t.key for t in grid.trials[:4]] == [(0, True, 0), (0, False, 0), (1, True, 0), (1, False, 0)]
    assert len({t.key for t in grid.trials}) == len(grid.trials) == 6 * 2 * 3
    for trial in grid.trials:
        s = trial.settings
        assert (s.lr, s.activation, s.bn, s.seed) == (*grid.cells[trial.cell].values(), trial.bn, trial.seed)


def test_width_and_depth_make_layers():
    grid = Grid(Settings(), {"depth": (1, 3), "hidden": (4, 8)}, (0,))
    assert [t.settings.hidden for t in grid.trials if t.bn] == [(4,), (8,), (4,) * 3, (8,) * 3]


WRONG = [
    ({"axes": {"epochs": (1, 2)}}, ArgumentError, "'epochs' cannot be varied; choose among lr, batch_size"),
    ({"axes": {"lr": ()}}, ArgumentError, "lr needs values that differ"),
    ({"axes": {"lr": (1.0, 1.0)}}, ArgumentError, "lr needs values that differ"),
    ({"axes": {"lr": (-1.0,)}}, ArgumentError, "lr must be finite and at least 0"),
    ({"axes": {"batch_size": (1, 2)}}, ArgumentError, "batch_size must be at least 2, got 1"),
    ({"axes": {"batch_size": (2.5,)}}, DtypeError, "batch_size must be an integer"),
    ({"axes": {"activation": ("gelu",)}}, ArgumentError, "activation must be one of"),
    ({"axes": {"lr": tuple(range(200)), "depth": tuple(range(1, 60))}}, ArgumentError, "at most 10000 cells"),
    ({"seeds": ()}, ArgumentError, "seeds must differ, at least one"),
    ({"seeds": (1, 1)}, ArgumentError, "seeds must differ"),
    ({"seeds": (-1,)}, ArgumentError, "seed must be at least 0"),
    ({"settings": Settings(hidden=(3, 4)), "axes": {"hidden": (3, 4)}}, ArgumentError, "hidden varies the width"),
    ({"settings": Settings(optimizer="adam"), "axes": {"momentum": (0.0, 0.9)}}, ArgumentError, "momentum belongs to sgd"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "error", "message"), WRONG, ids=[case[2] for case in WRONG])
def test_a_wrong_grid_is_named(given, error, message):
    with pytest.raises(error, match=message):
        Grid(**{"settings": Settings(), "axes": {"lr": (0.1,)}, "seeds": (0,)} | given)


def test_a_trial_is_a_run(grid, finished):
    """Each stored result is that of training with these settings, one after the other."""
    lines = [json.loads(line) for line in finished.splitlines()[1:]]
    for trial, line in zip(grid.trials, lines, strict=True):
        outcome = run(prepare(trial.settings))
        assert (line["cell"], line["bn"], line["seed"]) == trial.key
        assert line["result"]["accuracy"] == 100 * outcome.accuracy
        assert line["result"]["diverged"] == outcome.diverged
        if not outcome.diverged:
            assert line["result"]["val_loss"] == outcome.records[-1].val_loss
    diverged = [line["result"] for line in lines if line["result"]["diverged"]]
    assert diverged
    assert all(result["accuracy"] == result["baseline"] for result in diverged)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_executor_gives_the_same_file(grid, finished, tmp_path, workers):
    with ThreadPoolExecutor(workers) as pool:
        report = sweep(grid, tmp_path / "t.jsonl", executor=pool, workers=workers)
    assert (tmp_path / "t.jsonl").read_bytes() == finished
    assert report == sweep(grid)


class Mortal(InProcess):
    """An executor whose process dies after some calls."""

    def __init__(self, calls):
        self.left = calls

    def submit(self, function, /, *arguments, **keywords):
        self.left -= 1
        return super().submit(function if self.left >= 0 else _die, *arguments, **keywords)


def _die(*_):
    raise BrokenExecutor("killed")


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_a_worker_that_dies_leaves_a_file_to_continue(grid, finished, tmp_path, calls):
    path = tmp_path / "t.jsonl"
    with pytest.raises(WorkerError, match="a worker process died \\(killed\\)"):
        sweep(grid, path, executor=Mortal(calls))
    done = len(path.read_bytes().splitlines()) - 1
    assert (done > 0) == (calls > 0)
    assert done < len(grid.trials)
    counts = []
    sweep(grid, path, progress=lambda n, total: counts.append((n, total)))
    assert path.read_bytes() == finished
    assert counts[0][0] > done
    assert counts[-1] == (36, 36)


def test_an_error_inside_a_trial_is_that_error(grid):
    with pytest.raises(DataError, match="is not the file here that it was where the sweep began"):
        list(played(grid.trials, InProcess(), digest="another"))


def test_a_file_that_changes_between_sweeps_is_read_again(tmp_path):
    path, y, found = tmp_path / "d.npz", np.arange(40) % 2, []
    for seed in (0, 1):
        np.savez(path, x=np.random.default_rng(seed).standard_normal((40, 2)), y=y)
        grid = Grid(Settings(data=str(path), hidden=(3,), epochs=1, batch_size=8), {"lr": (0.1,)}, (0, 1))
        found.append(sweep(grid).numbers["cells"][0]["without_bn"]["accuracies"])
        assert found[-1] == [
            100 * run(prepare(trial.settings)).accuracy for trial in grid.trials if not trial.bn
        ]
    assert found[0] != found[1]


@pytest.mark.parametrize(("kept", "torn"), [(0, b"{}"), (1, b"\xff"), (17, b'{"cell": 0, "val'), (36, b"[")])
def test_a_torn_last_line_is_done_again(grid, finished, tmp_path, kept, torn):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(finished.splitlines(keepends=True)[: kept + 1]) + torn)
    sweep(grid, path)
    assert path.read_bytes() == finished


def test_the_order_of_arrival_does_not_matter(grid, finished, tmp_path):
    path = tmp_path / "t.jsonl"
    head, *lines = finished.splitlines(keepends=True)
    path.write_bytes(head + b"".join(reversed(lines)) + lines[0])
    sweep(grid, path)
    assert path.read_bytes() == finished


def test_the_stored_grid_continues(grid, finished, tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(finished.splitlines(keepends=True)[:9]))
    found = stored_grid(path)
    assert found.to_dict() == grid.to_dict()
    sweep(found, path)
    assert path.read_bytes() == finished


def _file(tmp_path, content):
    path = tmp_path / "folder" / "t.jsonl"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


DAMAGED = [
    {"cell": 99}, {"cell": [0]}, {"cell": 0.0}, {"bn": 1}, {"seed": None}, {"seed": "0"},
    {"result": None}, {"result": {"accuracy": 50.0}},
    *({"accuracy": value} for value in ("x", None, True, [50.0], float("nan"))),
    {"baseline": "50"}, {"diverged": 0}, {"diverged": "no"}, {"failed": 3}, {"train_loss": "x"}, {"val_loss": [1.0]},
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED, ids=str)
def test_a_damaged_line_is_named(grid, finished, tmp_path, damage):
    lines = finished.splitlines(keepends=True)
    entry = json.loads(lines[3])
    inside = {name: value for name, value in damage.items() if name in entry["result"]}
    entry = entry | (damage if not inside else {"result": entry["result"] | inside})
    path = _file(tmp_path, b"".join([*lines[:3], json.dumps(entry).encode() + b"\n", *lines[4:]]))
    with pytest.raises(DataError, match="line 4, is damaged; delete that line and resume"):
        sweep(grid, path)


OTHER = [
    ({"seeds": (0, 1)}, ArgumentError, r"folder holds another sweep \(seeds was \[0, 1, 5\], is \[0, 1\]\)"),
    ({"axes": {"lr": (0.1, 2.0)}}, ArgumentError, r"another sweep \(values of lr was \[0.1, 1.0, 1000000000.0\]"),
    ({"epochs": 3}, ArgumentError, r"another sweep \(epochs was 2, is 3\); use another folder"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), OTHER, ids=[str(case[0]) for case in OTHER])
def test_another_sweep_is_refused(grid, finished, tmp_path, change, error, message):
    settings = Settings(
        **grid.settings.to_dict() | {"hidden": (4,)} | {k: v for k, v in change.items() if k == "epochs"}
    )
    other = Grid(settings, change.get("axes", grid.axes), change.get("seeds", grid.seeds))
    path = _file(tmp_path, finished)
    with pytest.raises(error, match=message):
        sweep(other, path)
    assert path.read_bytes() == finished


def test_other_data_are_refused(grid, finished, tmp_path):
    path = _file(tmp_path, finished)
    with pytest.raises(DataError, match="is not the data that .*folder was begun on"):
        TrialFile(path, grid, "another digest")


@pytest.mark.parametrize("content", [b"", b"\n", b"[1]\n", b'{"kind": "train"}\n', b"\x89PNG\n"])
def test_a_foreign_file_is_refused(grid, tmp_path, content):
    path = _file(tmp_path, content)
    for attempt in (lambda: sweep(grid, path), lambda: stored_grid(path)):
        with pytest.raises(ArgumentError, match="is not the file of a sweep"):
            attempt()
    assert path.read_bytes() == content


def test_unusable_data_leave_no_file(tmp_path):
    grid = Grid(Settings(data=str(tmp_path / "nothing.npz")), {"lr": (0.1,)}, (0,))
    with pytest.raises(DataError, match="there is no such file"):
        sweep(grid, tmp_path / "t.jsonl")
    assert not list(tmp_path.iterdir())


def test_a_cluster_that_is_not_there():
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with pytest.raises(ArgumentError, match="dask: expected an address such as"), dask_cluster("nonsense"):
        pass


def test_mpi_runs_only_under_mpi():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    with pytest.raises(ArgumentError, match="does not run under mpi4py.futures"), mpi_pool():
        pass
