"""The documents are executed: shell commands, console sessions and Python blocks, with the output that they show.

``MINIBN_REFRESH_DOCS=1 pytest tests/test_docs.py`` writes the outputs of the console sessions anew.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.subprocess

ROOT = Path(__file__).parent.parent
DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/README.md", *DOCS]
COMMANDS = [
    ROOT / "README.md",
    ROOT / "docs/guide.md",
    ROOT / "docs/index.md",
]  # test_docs_site.py has the gallery
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFRESH = os.environ.get("MINIBN_REFRESH_DOCS") == "1"


def _blocks(page, *kinds):
    return [(match[1], match[2]) for match in BLOCK.finditer(page.read_text()) if match[1] in kinds]


def _environment():
    """Put the command of this interpreter's environment first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}


def _shell(command, cwd):
    return subprocess.run(
        command, shell=True, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.name)
def test_shell_commands_run(page, tmp_path):
    (tmp_path / "measurements.csv").write_text(_measurements())
    for _, block in _blocks(page, "sh"):
        for line in filter(None, map(str.strip, block.splitlines())):
            if line.startswith("minibn "):  # the other lines install; .ci/run executes those of the README
                process = _shell(line, tmp_path)
                assert process.returncode == 0, f"{line}\n{process.stderr}"


def _measurements():
    rows = [f"{i % 7},{i * 0.37 % 1:.3f},{'ab'[i % 7 > 3]}" for i in range(80)]
    return "\n".join(["length,width,species", *rows]) + "\n"


# The example's own README is run by test_examples.py, with the package that it is about.
PYTHON = [page for page in PAGES if _blocks(page, "python") and page.parent.name != "examples"]
SHOWN = re.compile(
    r"^```python\n(.*?)^```$(?:\s+prints)?(?:\s+^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
MARK = "-- end of a block --"


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.name)
def test_python_blocks_run_and_print_what_is_shown(page, tmp_path):
    pytest.importorskip("sklearn")
    code, shown = zip(*SHOWN.findall(page.read_text()), strict=True)
    assert len(code) == len(_blocks(page, "python"))
    for peer in sorted(
        set(re.findall(r"^(?:import|from) (torch|keras|onnx)\b", "".join(code), re.MULTILINE))
    ):
        if find_spec(peer) is None:
            pytest.skip(f"{page.name} shows {peer}, which is not installed")
    if "from minibn.kernels import cuda" in "".join(code):
        pytest.skip(f"{page.name} shows CUDA; tests/cuda runs it, also in the simulator")
    (tmp_path / "page.py").write_text(f"\nprint({MARK!r})\n".join(code))
    process = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env={**_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "False" not in process.stdout.split(), "a page prints a check that failed"
    for block, ours, theirs in zip(code, process.stdout.split(f"{MARK}\n"), shown, strict=True):
        if theirs:
            _assert_alike(ours, theirs, f"the block of {page.name} that ends with {block[-60:]!r}")


def _sessions(page):
    """Yield (command, shown output) of every command in a page's console blocks, in order."""
    for _, block in _blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def test_console_sessions_show_what_the_commands_print(tmp_path):
    page = ROOT / "docs/cli.md"
    text = page.read_text()
    for command, shown in _sessions(page):
        printed = _printed(command, tmp_path)
        if REFRESH:
            text = text.replace(f"$ {command}\n{shown}", f"$ {command}\n{printed}")
        elif command != "minibn info":  # versions and CPU are those of the machine
            _assert_alike(printed, shown, command)
    if REFRESH:
        page.write_text(text)


def _printed(command, cwd):
    process = _shell(command, cwd)
    progress = re.compile(r": (epoch |run )?\d+|^compiling kernels")
    errors = [line for line in process.stderr.splitlines() if not progress.search(line)]
    printed = process.stdout + "".join(f"{line}\n" for line in errors)
    return printed.replace(str(ROOT), "/home/you/minibn")


def _assert_alike(printed, shown, command):
    """Compare word by word; numbers may differ in their last digits from machine to machine."""
    ours, theirs = (re.split(r"[\s\[\],]+", text.strip()) for text in (printed, shown))
    assert len(ours) == len(theirs), f"{command} prints something else now:\n{printed}"
    for left, right in zip(ours, theirs, strict=True):
        assert left == right or _close(left, right), f"{command}: {left!r} instead of {right!r}"


def _close(left, right):
    try:
        return float(left) == pytest.approx(float(right), rel=0.05, abs=0.05)
    except ValueError:
        return False


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "py")], ids=lambda page: page.name)
def test_excerpts_of_the_code_stand_there(page):
    """Blocks marked py are not run: they show what the sources hold, line by line."""
    sources = [path for folder in ("minibn", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    lines = {line.strip() for path in sources for line in path.read_text().splitlines()}
    shown = [line.strip() for _, block in _blocks(page, "py") for line in block.splitlines()]
    assert not [line for line in shown if line not in lines]


def test_no_page_links_to_nothing():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            drawn = target.startswith(
                "img/gallery/"
            )  # by the build of the site, which misses them where they are not
            assert drawn or (page.parent / target).exists(), f"{page.name} links to {target}"
