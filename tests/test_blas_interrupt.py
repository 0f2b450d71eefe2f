"""Ctrl-C while compiled products look BLAS up interrupts, and does not abort."""

import subprocess
import sys

import pytest
from cases import needs_jit

pytestmark = [needs_jit, pytest.mark.subprocess]

FUNCTION = "minibn.functional.dense_forward(x, np.ones((128, 128), np.float32))"
PROGRAM = (
    "train.fit(nn.mlp([128, 128, 2], rng=0), x, np.arange(1024) % 2, "
    "optimizer=train.SGD(0.1), epochs=1, batch_size=1024)"
)
SCRIPT = """
import signal, sys
import numpy as np
import minibn.functional
from minibn import nn, train

class Interrupting:
    def find_spec(self, name, *more):
        if name == "scipy.linalg.cython_blas":
            signal.raise_signal(signal.SIGINT)

assert "scipy.linalg.cython_blas" not in sys.modules
x = np.ones((1024, 128), np.float32)
if "interrupt" in sys.argv:
    sys.meta_path.insert(0, Interrupting())
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
else:
    print("done")
"""


def said(call, *arguments):
    command = [sys.executable, "-c", SCRIPT.format(call=call), *arguments]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.mark.parametrize("call", [FUNCTION, PROGRAM], ids=["function", "program"])
def test_an_interrupt_reaches_python(call):
    assert said(call) == "done"  # compiles what is not in the cache: compilers look BLAS up themselves
    assert said(call, "interrupt") == "interrupted"
