"""Copies of the package that a test may change, and users' modules beside them."""

import os
import shutil
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "minibn"


def copy_package(place):
    """Copy the package, without compiled kernels, into a folder and return the folder."""
    shutil.copytree(PACKAGE, place / "minibn", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def write(place, **modules):
    """Write modules by name."""
    for name, text in modules.items():
        (place / f"{name}.py").write_text(text)


def path_to(place):
    """Return a PYTHONPATH on which a folder stands first."""
    return os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])


def play(python, place, program, **environment):
    """Run a program beside a copy of the package; return what it printed, as words."""
    program = f"import minibn; print(minibn.__file__)\n{program}"
    where, *words = python(program, cwd=place, PYTHONPATH=path_to(place), **environment).split()
    assert Path(where).parents[1] == place
    return words


def block_caches(place):
    """Put plain files where Numba would make its folders beside sources, which stops the superuser too."""
    for folder in [place, *(path for path in place.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("")


def no_folder(place):
    """Return an environment in which every other folder for a cache is a plain file."""
    names = "NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE"
    blocker = str(place / "__pycache__")
    return dict.fromkeys(names, blocker) | {"PYTHONDONTWRITEBYTECODE": "1"}


CALLER = """
from {source} import njit
from minibn.kernels import relu_forward
@njit({options})
def rectify(x, y):
    relu_forward(x, y)
    return y[0]
"""
"""A user's module."""

CALL = """
import numpy as np
from {module} import rectify
print(rectify(np.array([3.0]), np.zeros(1)), sum(rectify.stats.cache_hits.values()))
"""
"""Calls it: prints 3.0, and 1 where it came from disk."""
