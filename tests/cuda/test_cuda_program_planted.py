"""The tests of the program bite: one fault at a time, planted in its device functions, must be noticed."""

import inspect
from contextlib import contextmanager

import numpy as np
import pytest
from test_cuda_program import BATCH, OPTIMIZERS, ORDER, X, compare, network, play, programs, same_results

from minibn.kernels.cuda.target import SIMULATED
from minibn.nn import BatchNorm, Dense, ReLU, Sequential
from minibn.program.cuda import (
    block_lines,
    block_losses,
    block_norm,
    block_sums,
    line_kernels,
    persistent,
    updates,
)

pytestmark = pytest.mark.skipif(not SIMULATED, reason="faults are planted in the simulator only")

FAULTS = {
    "no barrier before a column's parts are added": (
        block_sums, "room[t] = value\n    cuda.syncthreads()\n    total = ZERO", "room[t] = value\n    total = ZERO"),
    "no barrier inside the sum of a block": (
        block_sums, "room[t] += room[t + step]\n        cuda.syncthreads()", "room[t] += room[t + step]"),
    "no barrier between lines": (
        persistent, "_update(m, table, at, rate, counts)\n                cuda.syncthreads()", "_update(m, table, at, rate, counts)"),
    "no barrier behind the gathering": (
        persistent, "            cuda.syncthreads()\n            total = _total_weight", "            total = _total_weight"),
    "the statistics leave out the last row": (block_norm, "stop = rows if start < slices else 0", "stop = rows - 1 if start < slices else 0"),
    "the last row does not join": (persistent, "if joins and end - stop == 1:", "if rows_in_all < 0:"),
    "the running variance stays biased": (block_norm, "factor = n / (n - ONE) if", "factor = ONE if"),
    "the rest of the mean is forgotten": (block_norm, "exact_sum(center, rest + missed)", "center, ZERO"),
    "labels of the epoch for those of the batch": (block_lines, "labels[i] = y[row]", "labels[i] = y[i]"),
    "a row of the softmax is left out": (
        block_losses, "for i in range(cuda.threadIdx.x, rows, cuda.blockDim.x):\n        label", "for i in range(cuda.threadIdx.x + 1, rows, cuda.blockDim.x):\n        label"),
    "the number of the step is that before": (persistent, "np.float32(counts[0] + 1)", "np.float32(counts[0] + 2)"),
    "weight decay is forgotten": (updates, "gradient = m[grad + p] + decay * m[param + p]\n        mean", "gradient = m[grad + p]\n        mean"),
    "the epoch begins where the last batch did": (
        line_kernels, "clock[START] += rows", "clock[START] += rows - 1"),
}  # fmt: skip


NETWORK = Sequential(BatchNorm(5), ReLU(), Dense(5, 3, rng=1))


@contextmanager
def planted(module, line, other):
    """Exchange a piece of a module's source in its device functions and kernels, for the length of a block."""
    source = inspect.getsource(module)
    assert source.count(line) == 1, f"{line!r} occurs {source.count(line)} times"
    names = {"__name__": module.__name__}
    exec(compile(source.replace(line, other), module.__file__, "exec"), names)
    functions = {
        k: v for k, v in vars(module).items() if hasattr(v, "fn") and v.fn.__module__ == module.__name__
    }
    makers = {k: v for k, v in vars(module).items() if k.startswith("make_")}
    sound = {name: function.fn for name, function in functions.items()}
    for name, function in functions.items():
        function.fn = names[name].fn
    for name in makers:
        setattr(module, name, names[name])
    try:
        yield
    finally:
        for name, function in functions.items():
            function.fn = sound[name]
        for name, maker in makers.items():
            setattr(module, name, maker)


def noticed():
    """Say whether an epoch by either executor differs from that of the CPU, or a batch fails to run at all."""
    x = X + np.float32(1e4)
    for executor in ("persistent", "stream"):
        ours, theirs = programs(NETWORK, executor, optimizer=OPTIMIZERS["adam"])
        try:
            same_results(play(theirs, x=x), play(ours, x=x))
            same_results(play(theirs, x=x), play(ours, x=x))
            compare(ours, theirs)
            found, wanted = (p.model.layers[0].running_mean for p in (theirs, ours))
            np.testing.assert_allclose(found, wanted, rtol=1e-7)
        except (AssertionError, IndexError):
            return True
    return False


def test_nothing_is_noticed_where_there_is_no_fault():
    assert not noticed()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_noticed(name):
    with planted(*FAULTS[name]):
        assert noticed()


def fails(executor):
    """Say whether a step that fails leaves everything as it was."""
    x = X.copy()
    x[ORDER[BATCH:], 0] = np.inf
    theirs = programs(network(), executor, optimizer=OPTIMIZERS["momentum"])[1]
    ours = programs(network(), executor, optimizer=OPTIMIZERS["momentum"])[0]
    for program in (ours, theirs):
        assert play(program, x=x, order=ORDER.repeat(2), batch=BATCH).failed_step is not None
    return all(
        np.allclose(theirs.model.state_dict()[name], value, rtol=1e-4, atol=1e-5)
        for name, value in ours.model.state_dict().items()
    )


UPDATES_ON = {
    "persistent": (persistent, "elif failed < 0:", "else:"),
    "stream": (line_kernels, "        if clock[FAILED] < 0:\n            rate = rates[clock[STEP]] if rated else m[scalars]\n            sgd_entries",
               "        if True:\n            rate = rates[clock[STEP]] if rated else m[scalars]\n            sgd_entries"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("executor", UPDATES_ON)
def test_an_update_behind_a_failure_is_noticed(executor):
    assert fails(executor)
    with planted(*UPDATES_ON[executor]):
        assert not fails(executor)
