"""The benchmarks: that peers do the same work, that counts count, and that goals are judged right. No time is asserted."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import needs_jit
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the benchmarks are not part of the installed package

from benchmarks import goals, measure, page, scaling, suites  # noqa: E402
from benchmarks.__main__ import main  # noqa: E402
from benchmarks.against import kernel_peers  # noqa: E402
from benchmarks.cases import CASES, label  # noqa: E402
from benchmarks.settings import Settings, parse_peers, parse_threads  # noqa: E402
from minibn.cores import usable_cores  # noqa: E402


def detail(name, shape, against, ratio, **more):
    return {"name": name, "shape": shape, "against": against, "ratio": ratio, "low": ratio / 2, "high": ratio * 2,
            "threads": 1, **more}  # fmt: skip


def goal_row(suite, name, details):
    return next(row for row in goals.rows(suite, details) if row["name"] == name)


def report(details=(), suite="kernels", **more):
    rows = goals.rows(suite, list(details))
    return {"versions": {"python": "3"}, "cpu": "some", "threads": [1], "quick": True, "missing": [], "curves": [],
            "control": [], "without_case": [], "rows": rows, "details": list(details), **more}  # fmt: skip


def test_a_mean_is_geometric_and_names_how_many_shapes_it_spans():
    details = [
        detail("batch_norm_forward", "32x10", "torch", 2.0),
        detail("batch_norm_forward", "9x9", "torch", 8.0),
    ]
    row = goal_row("kernels", "batch-norm forward, geometric mean", details)
    assert (row["ratio"], row["low"], row["high"]) == pytest.approx((4, 2, 8))
    assert row["over"] == 2 and row["reached"] is True


def test_the_smallest_ratio_is_a_row_of_its_own():
    details = [
        detail("batch_norm_forward", "32x10", "torch", 9.0),
        detail("batch_norm_forward", "9x9", "torch", 1.1),
    ]
    row = goal_row("kernels", "batch-norm forward, smallest ratio", details)
    assert row["ratio"] == 1.1 and row["at"] == "9x9" and row["reached"] is False


def test_where_less_is_better_the_largest_array_decides():
    name = "batch-norm forward, arrays beyond the caches, largest ratio"
    details = [detail("batch_norm_forward", shape, "copy", ratio)
               for shape, ratio in (("32x10", 9.0), ("65536x256", 1.2), ("262144x64", 1.4))]  # fmt: skip
    row = goal_row("kernels", name, details)
    assert row["ratio"] == 1.4 and row["better"] == "less" and row["reached"] is True
    details[-1]["ratio"] = 1.6
    assert goal_row("kernels", name, details)["reached"] is False


def test_what_was_not_measured_is_neither_reached_nor_missed():
    found = report()
    assert all(row["ratio"] is None and row["reached"] is None for row in found["rows"])
    assert not suites.missed([found])


def test_every_row_says_how_it_reads():
    keys = {"name", "against", "ratio", "low", "high", "goal", "reached", "better", "unit"}
    rows = [row for suite in suites.SUITES for row in goals.rows(suite, [])]
    assert len(rows) == len(goals.GOALS)
    assert all(keys <= row.keys() and row["better"] in ("more", "less") for row in rows)


@pytest.mark.parametrize("text", ["tensorflow", "", "numpy,cupy", ","])
def test_an_unknown_peer_is_named(text):
    with pytest.raises(
        ValueError, match=r"expected peers among numpy, torch, jax, sklearn, got (tensorflow|cupy|none)"
    ):
        parse_peers(text)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1,", str(usable_cores() + 1)])
def test_a_thread_count_that_cannot_be_is_refused(text):
    with pytest.raises(ValueError, match="expected whole numbers from 1 to"):
        parse_threads(text)


def test_lists_keep_their_order_and_lose_repetitions():
    assert parse_peers("torch, numpy,torch") == ["torch", "numpy"]
    assert parse_threads("1, 1") == [1]
    settings = Settings(("torch",), 1, True)
    assert Settings.load(settings.dump()) == settings


@pytest.mark.subprocess
@pytest.mark.parametrize(
    "arguments", [["kernels", "--peer", "tensorflow"], ["all", "--threads", "0"], ["nothing"]]
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


@pytest.fixture
def suite(monkeypatch, tmp_path):
    """Run the command line on given details, without measuring."""
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)

    def run(details, *options, missing=()):
        part = {"details": details, "control": [{"threads": 1, "ratio": 1.0, "low": 0.9, "high": 1.1}]}
        monkeypatch.setattr(suites, "_measured", lambda *arguments: part)
        monkeypatch.setattr("benchmarks.__main__.installed", lambda peers: (["numpy"], list(missing)))
        return CliRunner().invoke(main, ["startup", "--out", str(tmp_path), *options])

    return run


def test_check_fails_where_a_goal_is_missed(suite, tmp_path):
    slow = [detail("minibn --help", "", "pass", 0.5)]
    assert suite(slow).exit_code == 0
    done = suite(slow, "--check")
    assert done.exit_code == 1 and "goals missed: `minibn --help`" in done.output
    assert suite([detail("minibn --help", "", "pass", 0.1)], "--check").exit_code == 0
    row = json.loads((tmp_path / "startup.json").read_text())["rows"][0]
    assert row["ratio"] == 0.1 and row["reached"] is True


def test_a_peer_that_is_not_installed_is_skipped_and_named(suite, tmp_path):
    done = suite([], missing=["torch"])
    assert done.exit_code == 0 and "not installed, skipped: torch" in done.stderr
    assert json.loads((tmp_path / "startup.json").read_text())["missing"] == ["torch"]


def test_a_kernel_without_a_case_fails_the_check():
    assert suites.missed([report(without_case=["swish_forward"])]) == ["swish_forward has no case"]


@pytest.mark.parametrize("peer", ["numpy", "torch", "jax"])
def test_peers_compute_what_the_kernels_compute(peer):
    pytest.importorskip(peer)
    from benchmarks import calls
    from benchmarks.kernels import subjects

    modules, rng = kernel_peers([peer]), np.random.default_rng(0)
    cases = [case for case in CASES if calls.functions(case, modules[peer])]
    assert {case.name for case in cases} >= {case.name for case in CASES if case.batch_norm}
    for case in cases:  # raises where a result differs
        assert peer in subjects(case, case.arguments(rng, *case.shapes[0]), modules, rng, {})


def test_a_peer_that_computes_something_else_is_found():
    from types import SimpleNamespace

    from benchmarks.kernels import subjects

    def relu_forward(x, y):
        return lambda: np.maximum(x, 0.1, out=y), {"y": y}

    case = next(case for case in CASES if case.name == "relu_forward")
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="relu_forward: y of wrong differs"):
        subjects(
            case, case.arguments(rng, 32, 10), {"wrong": SimpleNamespace(relu_forward=relu_forward)}, rng, {}
        )


@pytest.mark.parametrize("peer", ["torch", "jax", "sklearn"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_peers_train_the_same_network(peer, activation):
    pytest.importorskip(peer)
    from dataclasses import replace

    from benchmarks.against import training_peers
    from benchmarks.networks import HEADLINE
    from benchmarks.training import _peer

    network = replace(HEADLINE, rows=70, activation=activation)
    _peer(network, peer, training_peers([peer])[peer], *network.data(70))  # raises where a loss differs


def test_training_that_differs_is_found():
    from benchmarks.networks import HEADLINE
    from benchmarks.training import _agree

    losses = iter((1.0, 0.9))
    with pytest.raises(AssertionError, match="mean loss of epoch 2"):
        _agree(HEADLINE, "other", lambda order: next(losses), lambda order: 1.0)


@needs_jit
def test_allocations_by_compiled_code_are_counted():
    import numba
    from numba.core.runtime import _nrt_python

    from benchmarks.allocations import _compiled, _traced

    allocate = numba.njit(lambda n: sum([np.empty(10 + i).size for i in range(n)]))
    allocate(1)
    _nrt_python.memsys_enable_stats()
    assert _compiled(lambda: allocate(5)) > 5
    assert _compiled(lambda: None) == 0
    assert _traced(lambda: np.empty(10000)) >= 80000


def test_every_subject_is_timed_once_a_round():
    calls = {"a": 0, "b": 0}

    def subject(name):
        def run():
            calls[name] += 1
            return sum(range(2000))

        return run

    effort = measure.Effort(burst=1e-4, budget=1e-3, least=3, most=5, placements=1)
    seconds = measure.interleave({name: subject(name) for name in calls}, effort)
    assert 3 <= len(seconds["a"]) == len(seconds["b"]) <= 5
    assert all((series > 0).all() for series in seconds.values()) and min(calls.values()) > 3


@pytest.mark.parametrize("power", [1, 2])
def test_the_slope_is_that_of_the_upper_half(power):
    sizes = [1, 2, 4, 8, 16, 32]
    seconds = np.array([5, 5, 5, *(size**power for size in sizes[3:])], float)
    assert scaling.slope(sizes, seconds) == pytest.approx(power)


def test_tables_are_written_between_the_marks_of_a_page(tmp_path):
    target = tmp_path / "page.md"
    target.write_text("before\n<!-- goals -->\nold\n<!-- /goals -->\nafter\n")
    page.refresh(
        target,
        {"startup": report([detail("minibn --help", "", "pass", 0.1, cpu_s=0.1, rounds=3)], "startup")},
    )
    text = target.read_text()
    assert text.startswith("before\n<!-- goals -->\n| what |") and text.endswith("<!-- /goals -->\nafter\n")
    assert "| 0.1 s |" in text and "old" not in text


def test_the_page_holds_every_table_and_every_goal():
    text = (ROOT / "docs/benchmarks.md").read_text()
    for name in page.TABLES:
        assert re.search(f"<!-- {name} -->\n.+?<!-- /{name} -->", text, re.DOTALL), f"no table {name}"
    assert not [goal.name for goal in goals.GOALS if f"| {goal.name} |" not in text]


def test_the_grid_of_batch_norm_is_complete():
    grid = "32x10 1000x10 32x64 128x128 256x512 1000x512 4096x256 65536x256 262144x64"
    assert all(" ".join(map(label, case.shapes)) == grid for case in CASES if case.batch_norm)
