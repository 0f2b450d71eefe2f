"""What a process does before it trains: nothing that it need not."""

import os
import subprocess
import sys

import pytest
from cases import needs_jit

pytestmark = [needs_jit, pytest.mark.subprocess]


def said(code, folder, **environment):
    """Run Python with a cache of compiled kernels of its own, and return what it printed."""
    given = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


_CAPTURE = """
from minibn.kernels import on_compile
from minibn.nn import SoftmaxCrossEntropy, mlp
from minibn.program import capture
from minibn.train import SGD
names = []
on_compile(names.append)
capture(mlp([4, 3, 2]), SoftmaxCrossEntropy(), SGD(0.1), max_batch=8)
print(*names)
"""

_CALL = """
import sys
import numpy as np
from minibn.kernels import on_compile, update_running_stats_inplace
on_compile(lambda name: print("compiled"))
arrays = [np.ones(3) for _ in range(4)]
update_running_stats_inplace(*arrays, 4, 0.1)
print("imported" if "numba.np.linalg" in sys.modules else "light", arrays[1][0])
"""


def test_laying_out_a_program_compiles_nothing(tmp_path):
    assert said(_CAPTURE, tmp_path) == []


def test_a_cached_kernel_loads_without_what_only_compiling_needs(tmp_path):
    compiled, first, value = said(_CALL, tmp_path)
    assert (compiled, first) == ("compiled", "imported")
    both = "from minibn.kernels import relu_forward\nrelu_forward(arrays[0], arrays[1])\nprint(arrays[1][0])"
    # And what is compiled afterwards still is.
    assert said(_CALL + both, tmp_path) == ["light", value, "compiled", "1.0"]
