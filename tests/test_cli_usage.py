"""Wrong usage, streams, colours, and start-up."""

import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from command import MINIBN, run, run_json

pytestmark = pytest.mark.subprocess

WRONG = [
    ("--lr abc", "'abc' is not a valid float"),
    ("--lr -1", "lr must be finite and at least 0, got -1.0"),
    ("--lr nan", "lr must be finite"),
    ("--batch-size 1", "batch_size must be at least 2, got 1"),
    ("--epochs 0", "epochs must be at least 1, got 0"),
    ("--hidden 0", "hidden must be at least 1, got 0"),
    ("--hidden 4 --hidden 5 --depth 1", "depth must be at least"),
    ("--bogus", "No such option '--bogus'"),
    ("extra", "unexpected extra argument"),
    ("--optimizer adam --momentum 0.9", "momentum belongs to sgd"),
    ("--val-fraction 1.5", "val_fraction must lie between 0 and 1"),
    ("--bn-momentum 2", "bn_momentum must be in [0, 1], got 2.0"),
    ("--bn-eps -1", "bn_eps must be finite and at least 0"),
    ("--seed -1", "seed must be at least 0, got -1"),
    ("--early-stopping 0", "early_stopping must be at least 1"),
    ("--threads 0", "0 is not in the range"),
    ("--activation gelu", "'gelu' is not one of"),
    ("--no-bn --bn-eps 0.1", "--bn-eps is an option of batch norm, got --no-bn"),
    ("--no-bn --bn-momentum 0.2", "--bn-momentum is an option of batch norm"),
    ("--depth 1000001", "depth must be at most 100000, got 1000001"),
    ("--hidden 100000000", "hidden: training this network takes at least"),
    ("--shift-inputs 1e39", "shift_inputs must be in [-3.40282e+38, 3.40282e+38], got 1e+39"),
    ("--data nothing", "there is no such data set; choose example, example-hard, wine"),
    ("--data nothing.csv", "there is no such file"),
    ("--data constant.csv", "target 't' is constant"),
    ("--data text.csv", "column 'a', row 3: 'red' is not a number"),
    ("--data missing.csv", "column 'b', row 2: the value is missing"),
    ("--data infinite.csv", "column 'a', row 1: inf is not finite"),
    ("--data lonely.csv", "class 7 (row 5) has fewer than two"),
    ("--data objects.npz", "never unpickled"),
    ("--data huge.csv --scale none", "column 'b', row 2: -4e+38 becomes larger than float32 holds (3.4e+38)"),
    ("--data huge.npz --scale none", "column 'x1', row 4 of the test part: 4e+38 becomes larger"),
    ("--data huge.csv --scale none --drop-duplicates", "column 'b', row 2: -4e+38"),
    ("--data folder.csv", "it is a folder, not a file"),
    ("--data semicolons.csv", "separated by semicolons, not commas"),
    ("--data latin.csv", "line 2 holds the byte 0xe9, which is not UTF-8"),
    ("--data two.csv --target z", "there is no column 'z'"),
    ("--data two.csv --positive z", "expected one of the labels"),
    ("--positive z", "positive: only of two classes one can be positive, got 'z' for 3 classes"),
    ("--resume nowhere", "there is no folder nowhere; pass a run folder"),
    (
        "--resume folder.csv",
        "folder.csv holds no run to resume: there is no manifest.json in it; pass a run folder",
    ),
    ("--resume torn", "torn/manifest.json is damaged; pass the folder of an intact run"),
    ("--resume bare", "bare/manifest.json is damaged; pass the folder of an intact run"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    rows = {
        "two": ["1,2,0", "3,4,1", "5,6,0", "7,8,1"],
        "constant": ["1,2,0", "3,4,0", "5,6,0"],
        "text": ["1,2,0", "3,4,1", "red,6,0", "7,8,1"],
        "missing": ["1,2,0", "3,,1", "5,6,0", "7,8,1"],
        "infinite": ["inf,2,0", "3,4,1", "5,6,0", "7,8,1"],
        "huge": ["1,2,0", "3,-4e38,1", "1,2,0", "5,6,0", "7,8,1"],
        "lonely": ["1,2,0", "3,4,1", "5,6,0", "7,8,1", "1,1,7"],
    }
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text("\n".join(["a,b,t", *lines]) + "\n")
    x, y = np.arange(12.0).reshape(6, 2), np.array([0, 1] * 3)
    np.savez(folder / "huge.npz", x_train=x, y_train=y, x_test=np.where(x == 7, 4e38, x), y_test=y)
    (folder / "folder.csv").mkdir()
    for name, manifest in (("torn", '{"kind": "tra'), ("bare", '{"kind": "train"}')):
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_text(manifest)
    (folder / "semicolons.csv").write_text("a;b;t\n1;2;0\n3;4;1\n")
    (folder / "latin.csv").write_bytes("a,t\n1,caf\xe9\n2,th\xe9\n".encode("latin-1"))
    np.savez(folder / "objects.npz", x=np.array([[1, "a"], [2, None]], object), y=np.array([0, 1]))
    return folder


@pytest.mark.parametrize(("arguments", "fragment"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_usage_is_one_line_and_exit_code_2(files, arguments, fragment):
    process = run("train", *arguments.split(), cwd=files, code=2)
    assert fragment in process.stderr
    assert len(process.stderr.strip().splitlines()) == 1
    assert process.stdout == ""
    assert not (files / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ("evaluate nowhere", "no checkpoint at nowhere"),
        ("evaluate", "Missing argument 'CHECKPOINT'"),
        ("trace --row 0", "--row must lie in 1 to 1000"),
        ("trace --data wine", "--data needs a CHECKPOINT"),
        ("nonsense", "No such command 'nonsense'"),
        ("compare --no-bn", "No such option '--no-bn'"),
    ],
)
def test_wrong_usage_of_other_commands(tmp_path, arguments, fragment):
    process = run(*arguments.split(), cwd=tmp_path, code=2)
    assert fragment in process.stderr


def test_resume_takes_no_other_option(tmp_path):
    run("train", "--epochs", 1, "--out", "run", cwd=tmp_path)
    for option in (("--lr", 1), ("--no-bn",), ("--out", "other")):
        process = run("train", "--resume", "run", *option, cwd=tmp_path, code=2)
        assert "only --epochs may change" in process.stderr
    run("train", "--resume", "run", "--epochs", 3, cwd=tmp_path)
    assert (
        "at least the 3 done" in run("train", "--resume", "run", "--epochs", 2, cwd=tmp_path, code=2).stderr
    )


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    process = run("train", "--out", "file/run", cwd=tmp_path, code=1)
    assert process.stderr.strip().splitlines()[-1].startswith("Error: ")


def _python(code, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_missing_extra_is_named_with_its_pip_line(files):
    code = "import sys; sys.modules['pandas'] = None; sys.argv = ['minibn', 'train', '--data', 'two.csv']\nfrom minibn_cli.main import main; main()"
    process = _python(code, files)
    assert process.returncode == 1
    assert "pip install 'minibn[data]'" in process.stderr
    assert "Traceback" not in process.stderr


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupt:
    wanted = sys.argv.pop(1)

    def find_spec(self, name, *rest):
        if name == self.wanted:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from minibn_cli.main import main
main()
"""


@pytest.mark.parametrize(
    "module", ["minibn_cli.commands", "click", "minibn_cli.train", "numpy", "numba", "minibn.train.fit"]
)
def test_ctrl_c_during_start_up_is_no_traceback(tmp_path, module):
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module, "train"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 130
    assert process.stdout == ""
    assert process.stderr in ("", "Error: interrupted\n")


INTERRUPTED_CALLBACK = """
import os, signal, time
from minibn_cli.interrupt import Interrupted, InterruptibleGroup

class Deaf:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

group = InterruptibleGroup("group")

@group.command()
def wait():
    Deaf()
    {then}

try:
    group(["wait"], standalone_mode=False)
except Interrupted:
    print("interrupted")
time.sleep(0.1)
"""


@pytest.mark.parametrize(
    "then", ["while True: time.sleep(0.05)", "raise RuntimeError('the callback came to nothing')"]
)
def test_ctrl_c_is_not_lost_in_a_callback(tmp_path, then):
    process = _python(INTERRUPTED_CALLBACK.replace("{then}", then), tmp_path)
    assert (process.stdout, process.stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("arguments", ["['--help']", "['train', '--help']", "['--version']"])
def test_help_imports_neither_numba_nor_numpy(tmp_path, arguments):
    code = f"import sys\nfrom minibn_cli.commands import cli\ncli({arguments}, standalone_mode=False)\nprint([m for m in ('numba', 'numpy', 'matplotlib') if m in sys.modules])"
    process = _python(code, tmp_path)
    assert process.stdout.strip().splitlines()[-1] == "[]", process.stderr


def _on_a_terminal(arguments, cwd, **environment):
    """Run minibn with a terminal for stdout and stderr and return what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MINIBN, *arguments],
        cwd=cwd,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_bar_and_colour_on_a_terminal_only(tmp_path):
    shown = _on_a_terminal(["train", "--epochs", "3"], tmp_path, NO_COLOR="")
    assert "\x1b[1m" in shown
    assert "100%" in shown
    plain = _on_a_terminal(["train", "--epochs", "3"], tmp_path, NO_COLOR="1")
    assert "\x1b[1m" not in plain


def test_a_closed_pipe_is_no_traceback(tmp_path):
    command = f"{' '.join(MINIBN)} train --epochs 1 | head -n 1"
    process = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in process.stderr
    assert process.stdout.startswith("example, with batch norm")


def test_info(tmp_path):
    report = run_json("info", cwd=tmp_path)
    assert set(report) == {"command", "versions", "cpu", "cores", "threads", "cache", "cuda"}
    assert len(run("info", cwd=tmp_path).stdout.strip().splitlines()) == 9


def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first = run("train", cwd=tmp_path, **cache)
    assert first.stderr.count("compiling kernels") == 1
    assert "compiling kernels" not in run("train", cwd=tmp_path, **cache).stderr
