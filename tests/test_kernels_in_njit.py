"""Every kernel called from a user's own compiled code: serial, parallel, without the GIL, and cached."""

import threading

import numba
import numpy as np
import oracles
import pytest
from cases import KERNEL_CASES, TOLERANCE, assert_close, each, needs_jit

from minibn import kernels

pytestmark = needs_jit

SHAPE = (7, 4)
ONE_EACH = {case.kernel: case for case in KERNEL_CASES}


def user_function(name, count, options="", head="return kernel({0})", **globals_):
    """Compile a function of ``count`` arguments that calls a kernel, as a user would write it."""
    arguments = ", ".join(f"a{i}" for i in range(count))
    body = head.format(arguments)
    source = f"def call({arguments}):\n    {body}\n"
    namespace = {"kernel": getattr(kernels, name), **globals_}
    exec(source, namespace)
    return numba.njit(**dict.fromkeys(options.split(), True))(namespace["call"])


def arguments_of(case, inputs):
    return len(inputs) + len(case.outputs)


@each(KERNEL_CASES)
def test_serial(case):
    inputs = case.make(SHAPE, np.float32)
    expected = case.expected(inputs)
    call = user_function(case.kernel, arguments_of(case, inputs))
    assert_close(case.run_kernel(inputs, call), expected, TOLERANCE[np.float32])


@each(ONE_EACH.values())
def test_threads_without_the_gil(case):
    pool = [case.make(SHAPE, np.float64, seed) for seed in range(4)]
    expected = [case.expected(inputs) for inputs in pool]
    call, results = user_function(case.kernel, arguments_of(case, pool[0]), "nogil"), [None] * 4

    def work(k):
        results[k] = case.run_kernel(pool[k], call)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, theirs in zip(results, expected, strict=True):
        assert_close(ours, theirs, TOLERANCE[np.float64])


def stacked(case, copies):
    """Return the inputs and poisoned outputs of several plays, arrays stacked along a new first axis."""
    plays = [
        [*inputs, *case.poisoned(inputs)]
        for inputs in (case.make(SHAPE, np.float64, s) for s in range(copies))
    ]
    stack = [
        np.stack(column) if isinstance(column[0], np.ndarray) else column[0]
        for column in zip(*plays, strict=True)
    ]
    return plays, stack


@each(ONE_EACH.values())
def test_parallel_over_independent_arrays(case):
    copies = 5
    plays, stack = stacked(case, copies)
    expected = [case.expected(case.make(SHAPE, np.float64, seed)) for seed in range(copies)]
    pieces = ", ".join(f"a{i}[k]" if isinstance(a, np.ndarray) else f"a{i}" for i, a in enumerate(stack))
    loop = (
        f"for k in prange({copies}): results[k] = kernel({pieces})"
        if case.returns
        else (f"for k in prange({copies}): kernel({pieces})")
    )
    names = ", ".join(f"a{i}" for i in range(len(stack)))
    source = f"def call({names}):\n    results = np.zeros({copies})\n    {loop}\n    return results\n"
    namespace = {"kernel": getattr(kernels, case.kernel), "prange": numba.prange, "np": np}
    exec(source, namespace)
    results = numba.njit(parallel=True)(namespace["call"])(*stack)
    written = [stack[i] for i in case.changed] or stack[len(plays[0]) - len(case.outputs) :]
    for k, theirs in enumerate(expected):
        ours = ([results[k]] if case.returns else []) + ([a[k] for a in written])
        assert_close(ours, theirs, TOLERANCE[np.float64])


def test_absent_arguments_inside_njit():
    """Arguments that may be None are None in the user's source, not passed in."""
    forward, backward = kernels.dense_forward, kernels.dense_backward
    entropy, entropy_backward = kernels.softmax_cross_entropy_forward, kernels.softmax_cross_entropy_backward
    sgd = kernels.sgd_update_inplace

    @numba.njit
    def user(x, weight, labels, y, probabilities, dy, dweight):
        forward(x, weight, None, y)
        loss = entropy(y, labels, None, probabilities)
        entropy_backward(probabilities, labels, None, dy)
        backward(dy, x, weight, None, dweight, None)
        sgd(weight, dweight, None, 0.1, 0.0, False, 0.0)
        return loss

    rng = np.random.default_rng(0)
    x, weight, labels = rng.standard_normal((6, 5)), rng.standard_normal((5, 3)), rng.integers(0, 3, 6)
    scores = x @ weight
    expected = oracles.softmax_cross_entropy_forward(scores, labels)
    gradient = x.T @ oracles.softmax_cross_entropy_backward(expected[1], labels)[0]
    moved = weight - 0.1 * gradient
    blank = [np.full((6, 3), np.nan) for _ in range(3)]
    loss = user(x, weight, labels, *blank, np.full((5, 3), np.nan))
    assert loss == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(weight, moved, rtol=1e-12)


USER_MODULE = """
from numba import njit
from minibn import kernels as K

{aliases}

@njit(cache=True)
def call({arguments}):
    {calls}
"""


@pytest.mark.subprocess
def test_cached_function_in_a_module_of_its_own(python, tmp_path):
    """A second process loads a cached caller of all batch-norm and dense kernels, and gets the same bits."""
    names = "batch_norm_forward", "batch_norm_backward", "dense_forward", "relu_forward", "sgd_update_inplace"
    (tmp_path / "mine.py").write_text(
        USER_MODULE.format(
            aliases="\n".join(f"{name} = K.{name}" for name in names),
            arguments="x, weight, h, one, y, mean, var, dx, dgamma, dbeta",
            calls="dense_forward(x, weight, None, h)\n"
            "    batch_norm_forward(h, one, one, 1e-5, y, mean, var)\n"
            "    batch_norm_backward(y, h, one, mean, var, 1e-5, dx, dgamma, dbeta)\n"
            "    relu_forward(y, y)\n"
            "    sgd_update_inplace(h, dx, None, 0.1, 0.0, False, 0.0)",
        )
    )
    program = """
        import numpy as np, mine
        rng = np.random.default_rng(0)
        x, weight, one = rng.standard_normal((8, 5)), rng.standard_normal((5, 3)), np.ones(3)
        h, y, dx = (np.empty((8, 3)) for _ in range(3))
        mean, var, dgamma, dbeta = (np.empty(3) for _ in range(4))
        mine.call(x, weight, h, one, y, mean, var, dx, dgamma, dbeta)
        print(sum(mine.call.stats.cache_hits.values()), *(a.tobytes().hex() for a in (h, y, dx, dgamma)))
    """
    first, second = (python(program).split() for _ in range(2))
    assert first[0] == "0"
    assert second[0] == "1"
    assert first[1:] == second[1:]
