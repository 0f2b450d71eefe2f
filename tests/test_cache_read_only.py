"""A cache that was filled by one user and can only be read by the next, as in a container image."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cases import needs_jit
from places import copy_package, path_to

pytestmark = [needs_jit, pytest.mark.subprocess]

COUNT = """
import numpy as np
from minibn.kernels import on_compile, relu_forward
compiled = []
on_compile(compiled.append)
for dtype in DTYPES:
    relu_forward(np.ones(2, dtype), np.empty(2, dtype))
print(len(compiled))
"""


def unprivileged():
    """Return the start of a command whose process permissions hold, also for the superuser."""
    if os.name != "posix":
        pytest.skip("folders have no permissions here")
    if os.geteuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("the superuser writes everywhere, and setpriv is not installed")
    return ["setpriv", "--bounding-set=-all"]


def compiled(place, dtypes, *prefix, **environment):
    """Return how many kernels a process compiled, and what it warned of."""
    given = {**os.environ, "PYTHONPATH": path_to(place), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", COUNT.replace("DTYPES", repr(dtypes))],
        cwd=place, env=given, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return int(done.stdout), done.stderr


@pytest.fixture
def image(tmp_path):
    """A package and a folder of machine code of its float32 kernels, both without permission to write."""
    place, cache = copy_package(tmp_path / "site"), tmp_path / "cache"
    assert compiled(place, ["f4"], NUMBA_CACHE_DIR=str(cache)) == (1, "")
    folders = [folder for top in (place, cache) for folder, _, _ in os.walk(top)]
    for folder in folders:
        Path(folder).chmod(0o555)
    yield place, str(cache)
    for folder in folders:
        Path(folder).chmod(0o755)


def test_a_filled_cache_that_can_only_be_read_is_read(image):
    place, cache = image
    nowhere = {"NUMBA_CACHE_DIR": cache, "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    assert compiled(place, ["f4"], *unprivileged(), **nowhere) == (0, "")
    count, warned = compiled(place, ["f4", "f8"], *unprivileged(), **nowhere)
    assert (count, "run uncached" in warned) == (1, True)


def test_what_is_not_in_it_is_kept_where_can_be_written(image, tmp_path):
    place, cache = image
    home = {"NUMBA_CACHE_DIR": cache, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert compiled(place, ["f4", "f8"], *unprivileged(), **home) == (1, "")
    assert compiled(place, ["f4", "f8"], *unprivileged(), **home) == (0, "")
