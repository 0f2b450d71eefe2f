"""``minibn sweep`` and ``minibn lr-find``: lists of values, wrong usage, and what they print and store."""

import click
import numpy as np
import pytest
from command import run, run_json
from minibn_cli.axes import Values

LISTS = [
    (float, "0.1", (0.1,)),
    (float, "0.01, 0.1,1", (0.01, 0.1, 1.0)),
    (float, "1,0.1,1", (1.0, 0.1)),
    (float, "0..1", "a range LOW..HIGH:N needs|is not understood"),
    (float, "0.01..1:3", (0.01, 0.1, 1.0)),
    (float, "0.003..3:7", (0.003, 0.0095, 0.03, 0.095, 0.3, 0.95, 3.0)),
    (float, "0,0.5..0.98:2", (0.0, 0.5, 0.98)),
    (int, "2..128:7", (2, 4, 8, 16, 32, 64, 128)),
    (int, "2..4:9", (2, 3, 4)),
    (str, "relu, tanh", ("relu", "tanh")),
    (float, "", "'' is not understood: give numbers or ranges"),
    (float, "0.1,", "'' is not understood"),
    (float, "a", "'a' is not understood: give numbers or ranges LOW..HIGH:N, separated by commas"),
    (int, "2.5", "'2.5' is not understood: give whole numbers"),
    (float, "0.1..1", "'0.1..1' is not understood"),
    (float, "0..1:3", "needs 0 < LOW < HIGH and N from 2 to 1000"),
    (float, "1..0.1:3", "needs 0 < LOW < HIGH"),
    (float, "1..inf:3", "needs 0 < LOW < HIGH"),
    (float, "1..nan:3", "needs 0 < LOW < HIGH"),
    (float, "0.1..1:1", "N from 2 to 1000"),
    (float, "0.1..1:1001", "N from 2 to 1000"),
    (int, "2..8:x", "'2..8:x' is not understood"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), LISTS, ids=[f"{c[0].__name__} {c[1]}" for c in LISTS])
def test_lists_of_values(kind, text, expected):
    if isinstance(expected, str):
        with pytest.raises(click.BadParameter, match=expected):
            Values(kind).convert(text, None, None)
    else:
        assert Values(kind).convert(text, None, None) == expected


def test_ranges_are_geometric_to_two_digits():
    found = Values(float).convert("1e-5..7:40", None, None)
    assert (found[0], found[-1], len(found)) == (1e-5, 7.0, 40)
    np.testing.assert_allclose(found, np.geomspace(1e-5, 7, 40), rtol=0.05)


WRONG = [
    ("sweep --lr 0.1,a", "Invalid value for '--lr': 'a' is not understood"),
    ("sweep --activation gelu,relu", "activation must be one of relu"),
    ("sweep --batch-size 1,8", "batch_size must be at least 2, got 1"),
    ("sweep --hidden 4,8 --hidden 16", "--hidden: give one list of widths, or one number for each layer"),
    ("sweep --optimizer adam --momentum 0,0.9", "momentum belongs to sgd"),
    ("sweep --jobs 2 --mpi", "--jobs, --dask and --mpi exclude each other"),
    ("sweep --resume nowhere", "nowhere holds no sweep: there is no trials.jsonl in it"),
    ("sweep --resume nowhere --lr 1,2", "--resume continues with the stored options, got --lr"),
    ("sweep --data nothing", "there is no such data set"),
    ("sweep --seeds 0", "0 is not in the range"),
    ("lr-find --lr 1", "No such option '--lr'"),
    ("lr-find --low 1 --high 0.1", "low and high must be 0 < low < high, got 1 and 0.1"),
    ("lr-find --no-bn --bn-eps 0.1", "--bn-eps is an option of batch norm"),
    ("lr-find --steps 5", "steps must be at least 20, got 5"),
]


@pytest.mark.subprocess
@pytest.mark.parametrize(("arguments", "fragment"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_usage_is_one_line_and_leaves_nothing(tmp_path, arguments, fragment):
    process = run(*arguments.split(), cwd=tmp_path, code=2)
    assert fragment in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
    assert process.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.subprocess
def test_a_sweep_with_a_diverging_arm_is_a_result(tmp_path):
    report = run_json("sweep", "--lr", "1e9,0.1", "--seeds", 3, "--epochs", 2, "--out", "s", cwd=tmp_path)
    assert [cell["values"]["lr"] for cell in report["cells"]] == [1e9, 0.1]
    assert report["cells"][0]["difference"]["diverged_without_bn"] == 3
    assert {"mean", "low", "high", "wins", "n"} < report["cells"][0]["difference"].keys()
    assert {"command", "verdict", "statements", "largest_stable_lr", "config", "files"} < report.keys()
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == [
        "metrics.json",
        "sweep.png",
        "sweep.svg",
        "trials.jsonl",
    ]

    # The same command would go on; another one needs --overwrite.
    other = run("sweep", "--lr", "0.1,1", "--seeds", 3, "--epochs", 2, "--out", "s", cwd=tmp_path, code=2)
    assert "s holds another sweep (values of lr was [1000000000.0, 0.1], is [0.1, 1.0])" in other.stderr
    begun = (tmp_path / "s" / "trials.jsonl").read_bytes()
    run("sweep", "--lr", "0.1", "--seeds", 1, "--epochs", 1, "--out", "s", "--overwrite", cwd=tmp_path)
    assert (tmp_path / "s" / "trials.jsonl").read_bytes().count(b"\n") == 3 < begun.count(b"\n")


@pytest.mark.subprocess
def test_lr_find_of_one_arm(tmp_path):
    report = run_json("lr-find", "--no-bn", "--seeds", 1, "--out", "l", cwd=tmp_path)
    assert "with_bn" not in report
    found = report["without_bn"]
    assert len(found["rates"]) == len(found["losses"]) == 300
    assert 0 < found["suggestion"] < found["largest"]
    assert (tmp_path / "l" / "lr-find.svg").exists()

    # A folder that is taken is refused first, before rates are looked at and anything is computed.
    wrong = run("lr-find", "--low", 1, "--high", 0.1, "--out", "l", cwd=tmp_path, code=2)
    assert "l holds a run; use --overwrite to replace it" in wrong.stderr
