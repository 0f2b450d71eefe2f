"""The package in ``examples/``, installed as its users would and run in processes of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cases import needs_jit
from test_structure import isolation

pytestmark = [needs_jit, pytest.mark.subprocess]

EXAMPLES = Path(__file__).parents[1] / "examples"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")

CALLS = """
import numpy as np
from minibn_groups import fit_linear, normalize_groups, parallel, predict_in_threads, serial, threads
x, one, zero = np.random.default_rng(0).standard_normal((4, 30, 3)), np.ones(3), np.zeros(3)
y = normalize_groups(x, one, zero)[0]
parameters, losses = fit_linear(x[0], x[1], steps=5)
z = predict_in_threads(x[0], np.eye(3), one, zero, zero, one)
print(*(sum(f.stats.cache_hits.values()) for f in (parallel.normalize, serial.descend, threads.predict)))
print(all(np.isfinite(a).all() for a in (y, losses, z)))
"""


def call(arguments, place, **environment):
    path = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=place, env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the example installed; only copied where there is no setuptools to build it."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    shutil.copytree(EXAMPLES, source, ignore=LEFT_OUT, dirs_exist_ok=True)
    if not isolation():
        shutil.copytree(source / "minibn_groups", target / "minibn_groups")
    else:
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
        call(["-m", "pip", "install", "-q", *options, str(source)], source)
        assert list(target.glob("minibn_groups-*.dist-info"))
    shutil.copytree(source / "tests", target / "tests")
    return target


def test_its_own_tests_pass_and_later_processes_load_all_three_ways_from_disk(site, tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert "4 passed" in call(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], site, **cache)
    assert call(["-c", CALLS], site, **cache).split() == ["1", "1", "1", "True"]
    block = (EXAMPLES / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert call(["-c", block], site, **cache).split() == ["True"]
