"""What is compiled of the program without a GPU is what is launched on one, with arguments of the same types."""

import ast
from pathlib import Path

import numpy as np
import pytest
from builds_program import builds
from test_cuda_builds import launches  # noqa: F401  a fixture
from test_cuda_program import WEIGHT, X, network, play, programs

from minibn.kernels.cuda.target import SIMULATED
from minibn.nn import BatchNorm, Dense, Sequential, SquaredError
from minibn.program import cuda
from minibn.train import Adam

pytestmark = pytest.mark.skipif(not SIMULATED, reason="launches are recorded in the simulator only")


def kernels_in_source():
    """Return the names of all functions under the decorator ``kernel``."""
    sources = [path.read_text() for path in Path(cuda.__file__).parent.glob("*.py")]
    return {
        node.name
        for text in sources
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator).startswith("kernel(") for decorator in node.decorator_list)
    }


def launch_everything():
    regression = Sequential(Dense(5, 3, rng=0), BatchNorm(3), Dense(3, 2, rng=1))
    for executor in ("persistent", "stream"):
        theirs = programs(network(), executor, weighted=True)[1]
        play(theirs, sample_weight=WEIGHT)
        theirs.logits(X)
        theirs = programs(regression, executor, SquaredError(), lambda: Adam(0.01))[1]
        play(theirs, y=X[:, :2], learning_rates=np.full(2, 0.1))


def test_all_kernels_are_launched_as_they_are_compiled(launches):  # noqa: F811
    launch_everything()
    own = kernels_in_source()
    compiled = {(build.function.__name__, build.arguments) for build in builds()}
    played = {(name, arguments) for name, arguments in launches if name in own}
    assert not played - compiled
    assert {name for name, _ in played} == {name for name, _ in compiled} == own
