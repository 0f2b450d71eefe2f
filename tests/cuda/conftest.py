"""The tests of CUDA run in the simulator or on a GPU, and are skipped, with the reason, where there is neither."""

from pathlib import Path

import pytest

from minibn.kernels.cuda.target import SIMULATED, missing

HERE = Path(__file__).parent
REASON = missing()

if SIMULATED and REASON is None:
    import simulator

    simulator.install()


def pytest_collection_modifyitems(items):
    if REASON is None:
        return
    skip = pytest.mark.skip(reason=f"{REASON}; with numba-cuda also NUMBA_ENABLE_CUDASIM=1 will do")
    for item in items:
        if HERE in item.path.parents and "without_device" not in item.keywords:
            item.add_marker(skip)
