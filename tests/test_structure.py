"""The house rules, read from the source; and what importing, packaging and caching do for real."""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import pytest
from cases import needs_jit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minibn"
SOURCES = sorted(PACKAGE.rglob("*.py"))

LEVELS = {
    "errors": 0, "cores": 0, "foreign": 0, "kernels": 0, "functional": 1, "autograd": 2, "nn": 3, "program": 4,
    "train": 5, "data": 5, "metrics": 5, "lab": 6, "interop": 6, "sklearn": 6,
}  # fmt: skip
NEIGHBOURS = {("train", "data"), ("train", "metrics"), ("sklearn", "interop")}
PEERS = {
    "errors": set(),
    "cores": set(),
    "kernels": {"numpy", "numba", "llvmlite", "scipy", "cuda"},  # the last comes with numba-cuda
    "train": {"numpy", "safetensors"},
    "lab": {"numpy", "scipy"},
    "interop": {"numpy", "scipy", "sklearn"},
}
BELOW_ALL = {"errors", "cores", "foreign"}
ONLY_BELOW_ALL = {"data", "metrics"}  # besides their own


def module_of(path):
    """Return the dotted name of a source file, and of the package its relative imports start from."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1]) if parts[-1] == "__init__" else ".".join(parts), ".".join(parts[:-1])


def level_name(module):
    return module.split(".")[1] if "." in module else ""


def parsed(path):
    return ast.parse(path.read_text(), str(path))


def imported(path, top_only=False):
    """Yield (line, dotted module) of every import of a file, or of those outside of functions."""
    tree, package = parsed(path), module_of(path)[1]
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def allowed(own, other):
    if own == other or other == "errors":
        return True
    if other in BELOW_ALL:
        return own not in BELOW_ALL
    if own in ONLY_BELOW_ALL:
        return False
    return LEVELS[other] < LEVELS[own] or (own, other) in NEIGHBOURS


def offences(rule):
    """Return ``file:line module`` of every import that a rule forbids."""
    return [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path in SOURCES
        for line, module in imported(path)
        if rule(level_name(module_of(path)[0]), module)
    ]


def test_a_level_imports_only_levels_below():
    def forbidden(own, module):
        other = level_name(module)
        return own and module.startswith("minibn.") and not allowed(own, other)

    assert not offences(forbidden)


def test_the_import_rule_knows_every_level():
    entries = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert entries - {"__init__"} <= set(LEVELS)


@pytest.mark.parametrize(
    ("own", "other", "verdict"),
    [("nn", "autograd", True), ("autograd", "nn", False), ("train", "data", True), ("data", "train", False),
     ("data", "functional", False), ("metrics", "errors", True), ("data", "foreign", True), ("errors", "foreign", False),
     ("foreign", "kernels", False), ("kernels", "functional", False)],
)  # fmt: skip
def test_the_import_rule_itself(own, other, verdict):
    assert allowed(own, other) == verdict


def test_other_packages_are_imported_where_the_design_says():
    def forbidden(own, module):
        top = module.split(".")[0]
        foreign = top not in sys.stdlib_module_names and top != "minibn"
        return own and foreign and top not in PEERS.get(own, {"numpy"})

    assert not offences(forbidden)


# An estimator is a class of its peer's: importing it is using the peer.
ESTIMATORS = PACKAGE / "interop" / "sklearn"


def test_optional_packages_are_never_imported_at_module_level():
    optional = {
        "sklearn",
        "pandas",
        "pyarrow",
        "matplotlib",
        "torch",
        "onnx",
        "onnxruntime",
        "keras",
        "click",
    }
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line, module in imported(path, top_only=True)
        if module.split(".")[0] in optional and path.parent != ESTIMATORS
    ]
    assert not found


def calls(path):
    """Yield (line, name of the function, keywords) of every call and every decorator without a call."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        for decorator in getattr(node, "decorator_list", []):
            yield decorator.lineno, ast.unparse(decorator), {}


def test_compiler_flags_live_in_one_file_for_each_target():
    names = ("njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc")
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        if path not in (PACKAGE / "kernels" / "compile.py", PACKAGE / "kernels" / "cuda" / "target.py")
        for line, name, _ in calls(path)
        if name.split("(")[0].split(".")[-1] in names
    ]
    assert not found


def test_one_file_names_numba_cuda():
    """Its successor has another name, and comes when it comes."""
    target = PACKAGE / "kernels" / "cuda" / "target.py"
    named = {path for path in SOURCES if any(m.startswith("numba.cuda") for _, m in imported(path))}
    mentioned = {path for path in SOURCES if "numba_cuda" in path.read_text()}
    assert (named, mentioned) == ({target}, set())


def test_no_full_fast_math():
    """Full fast-math lets the compiler assume that NaN and infinity never occur."""
    from minibn.kernels.compile import FLAGS

    assert FLAGS["fastmath"] <= {"contract", "nsz", "arcp", "reassoc"}
    assert FLAGS["error_model"] == "numpy"
    assert not [path for path in SOURCES if "fastmath=True" in path.read_text().replace(" ", "")]


def test_only_summary_and_verbose_print():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        for _, name, _ in calls(path)
        if name == "print"
    }
    assert found == {"nn/sequential.py", "interop/sklearn/report.py"}


def test_only_importers_and_exporters_report_by_print_unless_told_otherwise():
    """A conversion that nobody reads about is how momentum and variance go wrong: silence has to be asked for."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.arguments)
        for default in [*node.defaults, *filter(None, node.kw_defaults)]
        if ast.unparse(default) == "print"
    }
    names = "keras_models", "keras_writing", "onnx_reading", "torch_reading", "torch_writing"
    assert found == {f"interop/{name}.py" for name in names}


def test_files_stay_short():
    assert not {path.name: n for path in SOURCES if (n := len(path.read_text().splitlines())) > 300}


# packaging


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_listed_packages_equal_the_tree():
    tree = {module_of(path)[0] for path in SOURCES if path.name == "__init__.py"}
    cli = {
        "minibn_cli" + module_of(path)[0].removeprefix("cli") for path in (ROOT / "cli").rglob("__init__.py")
    }
    assert set(project()["tool"]["setuptools"]["packages"]) == tree | cli


@pytest.mark.subprocess
def test_the_wheel_holds_two_top_levels(tmp_path):
    pytest.importorskip("build", reason="the package 'build' is not installed")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("minibn", "cli"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(source)]
    done = subprocess.run([*command, *isolation()], capture_output=True, text=True)
    if done.returncode and "isolated" in done.stdout + done.stderr:
        pytest.skip("setuptools is neither installed nor to be had")
    assert done.returncode == 0, done.stdout + done.stderr
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"minibn", "minibn_cli"}
    assert "minibn/py.typed" in names


def isolation():
    """Use the installed setuptools where it is new enough, and fetch one otherwise."""
    try:
        import setuptools

        return ["--no-isolation"] if int(setuptools.__version__.split(".")[0]) >= 77 else []
    except ImportError:
        return []


# importing


@pytest.mark.subprocess
def test_import_has_no_effects(python):
    out, err = python(
        "import sys, minibn; minibn.__version__; dir(minibn)\n"
        "print([m for m in ('numba', 'matplotlib', 'scipy', 'pandas', 'sklearn') if m in sys.modules])",
        stderr=True,
    )
    assert (out.strip(), err) == ("[]", "")


@pytest.mark.subprocess
def test_data_and_metrics_need_no_compiler(python):
    out = python(
        "import sys, minibn.data, minibn.metrics, minibn.errors\n"
        "print([m for m in ('numba', 'matplotlib', 'pandas', 'sklearn') if m in sys.modules])"
    )
    assert out.strip() == "[]"


def test_the_package_lists_its_modules():
    import minibn

    for name in set(minibn.__all__) - {"__version__"}:
        assert getattr(minibn, name).__name__ == f"minibn.{name}"
    assert minibn.__version__ == project()["project"]["version"]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = minibn.nothing


# the cache of compiled kernels

PLAY = """
    import sys, warnings
    from pathlib import Path
    import numpy as np
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from minibn import kernels
        compiled = []
        kernels.on_compile(compiled.append)
        x, y, one = np.array([[3.0, -2.0]]), np.empty((1, 2)), np.ones(2)
        if sys.argv[1] == "batch norm":
            kernels.batch_norm_inference(x, one, 0 * one, 0 * one, one, 0.0, y)
        kernels.relu_forward(x, y if sys.argv[1] == "relu" else y.copy())
        kernels.relu_backward(x, x, y.copy())
    print(Path(kernels.__file__).parents[2])
    print(float(y[0, 0]))
    print(len(compiled))
    print(len([w for w in caught if "uncached" in str(w.message)]), len(caught))
"""


def play(python, folder, what="relu", prelude="", **environment):
    """Run kernels of a copy of the package; return a result that should be 3, compilations, and warnings."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = textwrap.dedent(prelude) + textwrap.dedent(PLAY)
    where, result, compiled, warned = python(
        program, what, cwd=folder, PYTHONPATH=path, **environment
    ).splitlines()
    assert where == str(folder)
    return float(result), int(compiled), tuple(map(int, warned.split()))


@pytest.fixture
def copy(tmp_path):
    """A copy of the package of its own, without compiled kernels."""
    shutil.copytree(PACKAGE, tmp_path / "copy" / "minibn", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


@needs_jit
@pytest.mark.subprocess
def test_a_changed_callee_is_noticed(python, copy):
    """The kernel called from Python stands in batch_norm.py; what changes stands in lanes.py."""
    result, compiled, warned = play(python, copy, "batch norm")
    assert (result, compiled > 0, warned) == (3.0, True, (0, 0))
    assert play(python, copy, "batch norm") == (3.0, 0, (0, 0))
    callee = copy / "minibn" / "kernels" / "cpu" / "lanes.py"
    text = callee.read_text()
    assert text.count("fdiv(one, root)") == 1
    callee.write_text(text.replace("fdiv(one, root)", "fdiv(self.builder.fadd(one, one), root)"))
    result, compiled, _ = play(python, copy, "batch norm")
    assert (result, compiled > 0) == (6.0, True)
    assert play(python, copy, "batch norm") == (6.0, 0, (0, 0))


@needs_jit
@pytest.mark.subprocess
def test_changed_options_are_noticed(python, copy):
    for options in ({"NUMBA_BOUNDSCHECK": "0"}, {"NUMBA_BOUNDSCHECK": "1"}):
        assert play(python, copy, **options)[1] == 2
        assert play(python, copy, **options)[1] == 0
    assert play(python, copy, NUMBA_BOUNDSCHECK="0", NUMBA_OPT="1")[1] == 2


@needs_jit
@pytest.mark.subprocess
@pytest.mark.parametrize(("suffix", "content"), [("nbi", b"damaged"), ("nbc", b"")])
def test_a_damaged_cache_is_compiled_anew(python, copy, suffix, content):
    play(python, copy)
    entries = list(copy.rglob(f"*.{suffix}"))
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(content)
    assert play(python, copy) == (3.0, 2, (0, 0))
    assert play(python, copy) == (3.0, 0, (0, 0))


@needs_jit
@pytest.mark.subprocess
def test_without_a_writable_folder_kernels_run_uncached_and_say_so_once(python, copy, tmp_path):
    """Plain files stand where Numba would make its folders, which stops the superuser too."""
    blocker = tmp_path / "blocker"
    blocker.write_text("")
    for folder in [copy / "minibn", *(p for p in (copy / "minibn").rglob("*") if p.is_dir())]:
        (folder / "__pycache__").write_text("")
    names = "NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"
    environment = dict.fromkeys(names, str(blocker))
    assert play(python, copy, PYTHONDONTWRITEBYTECODE="1", **environment) == (3.0, 2, (1, 1))


FULL_DISK = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


@needs_jit
@pytest.mark.subprocess
def test_with_a_full_disk_kernels_run_uncached_and_say_so_once(python, copy):
    pytest.importorskip("resource", reason="the system has no resource limits")
    assert play(python, copy, prelude=FULL_DISK, PYTHONDONTWRITEBYTECODE="1") == (3.0, 2, (1, 1))
    assert play(python, copy) == (3.0, 2, (0, 0))
