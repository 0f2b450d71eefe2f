"""The suite ``kernels``: every public kernel against each peer, over a grid of shapes."""

import inspect
import os
from functools import partial
from pathlib import Path

import click
import numba
import numpy as np

from benchmarks import machine, report
from benchmarks.against import PEERS, peer
from benchmarks.cases import CASES, shapes
from benchmarks.figure import draw
from benchmarks.measure import FULL, QUICK, first_call, interleave, spread
from minibn import kernels

_CONTROL = "sum of squares of 16,384 float32 in NumPy, timed twice in each round; ratio = first / second"


_PAGE, _LINE = 4096, 64  # bytes


def _placed(value, rng):
    """Return a copy of an array at a random cache line of a page; other values as they are.

    Where arrays lie relative to each other changes the speed of a loop, up to a factor of two.
    """
    if not isinstance(value, np.ndarray):
        return value
    memory = np.empty(value.nbytes + 2 * _PAGE, np.uint8)
    start = -memory.ctypes.data % _PAGE + _LINE * int(rng.integers(_PAGE // _LINE))
    copy = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    copy[...] = value
    return copy


def _named(function, arguments, rng):
    """Return the arguments of a kernel or of a peer's version of it, in its order, as copies of its own."""
    names = inspect.signature(getattr(function, "py_func", function)).parameters
    return [_placed(arguments[name], rng) for name in names]


def _kernel_call(case, arguments, rng):
    """Return a call of minibn's kernel, and its arrays by name."""
    kernel = getattr(kernels, case.name)
    values = _named(kernel, arguments, rng)
    names = inspect.signature(kernel.py_func).parameters
    return partial(kernel, *values), dict(zip(names, values, strict=True))


def _check(case, ours, ours_result, theirs, theirs_result):
    """Raise unless two versions of a kernel computed the same."""
    for name, array in theirs.items():
        np.testing.assert_allclose(array, ours[name], 2e-3, 2e-3, err_msg=f"{case.name}: {name}")
    if ours_result is not None:
        np.testing.assert_allclose(theirs_result, ours_result, 1e-4, err_msg=case.name)


def _control():
    data = np.random.default_rng(0).standard_normal(16384, np.float32)
    work = np.empty_like(data)
    return lambda: np.add.reduce(np.multiply(data, data, out=work))


def _copy(arguments):
    """Return a copy of the largest array: the least work that reads and writes it once."""
    largest = max((a for a in arguments.values() if isinstance(a, np.ndarray)), key=lambda a: a.nbytes)
    return partial(np.copyto, np.empty_like(largest), largest)


def _warm_compiler():
    """Start Numba's machinery, so that its fixed cost is not charged to the first kernel."""
    numba.njit(lambda x: x.reshape(x.size)[0] + 1)(np.zeros((1, 1), np.float32))


def measure(case, shape, against, effort, compiled):
    """Time one kernel at one shape against one peer.

    Parameters
    ----------
    case : Case
    shape : tuple of int
    against : str
    effort : Effort
    compiled : dict of str to float
        Seconds of each kernel's compilation; this kernel's are added where they are missing.

    Returns
    -------
    row : dict
    control : ndarray
        Ratio of the control to itself, round by round.
    """
    rng = np.random.default_rng(1)
    arguments = case.arguments(rng, *shape)
    if case.name not in compiled:
        compiled[case.name] = first_call(_kernel_call(case, arguments, rng)[0])
    parts = [interleave(_subjects(case, arguments, against, rng), effort) for _ in range(effort.placements)]
    seconds = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    row = report.row(case, shape, against, seconds, compiled[case.name])
    return row, seconds["a"] / seconds["b"]


def _subjects(case, arguments, against, rng):
    """Return what is timed side by side, on arrays placed anew, after checking that the results agree."""
    ours, our_arrays = _kernel_call(case, arguments, rng)
    build = getattr(peer(against), case.name)
    theirs, their_arrays = build(*_named(build, arguments, rng))
    _check(case, our_arrays, ours(), their_arrays, theirs())
    control = _control()
    return {"minibn": ours, against: theirs, "copy": _copy(arguments), "a": control, "b": control}


def _comparisons(against, quick):
    cases = [case for case in CASES if hasattr(peer(against), case.name)]
    return [(case, shape) for case in cases for shape in shapes(case, quick)]


def _missing():
    """Return public kernels without a case."""
    public = {name for name in kernels.__all__ if hasattr(getattr(kernels, name), "py_func")}
    return sorted(public - {case.name for case in CASES})


def run(against, quick):
    """Time every comparison and return the report as a dict; progress goes to stderr."""
    if numba.config.DISABLE_JIT:
        raise click.ClickException("NUMBA_DISABLE_JIT is set: there is nothing to time; unset it")
    if _missing():
        raise click.ClickException(f"kernels without a benchmark: {', '.join(_missing())}")
    _warm_compiler()
    compiled, rows, controls, todo = {}, [], [], _comparisons(against, quick)
    for i, (case, shape) in enumerate(todo, 1):
        row, control = measure(case, shape, against, QUICK if quick else FULL, compiled)
        rows.append(row)
        controls.append(control)
        click.echo(f"[{i}/{len(todo)}] {case.name} {row['shape']}: {row['ratio']:.2f}", err=True)
    noise = spread(np.concatenate(controls))
    return {
        "versions": machine.versions([peer(against).DISTRIBUTION]),
        "cpu": machine.cpu(),
        "threads": int(os.environ["NUMBA_NUM_THREADS"]),
        "control": {"what": _CONTROL, "ratio": noise.median, "low": noise.low, "high": noise.high},
        "rows": rows,
    }


@click.command("kernels")
@click.option("--quick", is_flag=True, help="Two shapes per kernel and few rounds: under a minute.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/benchmarks"),
    show_default=True,
    help="Folder for kernels.json and the plot.",
)
@click.option("--against", type=click.Choice(list(PEERS)), default="numpy", show_default=True)
@click.option("--check", is_flag=True, help="Exit with 1 when a goal is missed.")
def command(quick, out, against, check):
    """Time every public kernel against a peer; write kernels.json and a plot to --out."""
    results = run(against, quick)
    report.save(results, out / "kernels.json")
    draw(results, out / "kernels")
    click.echo(report.table(results))
    missed = [row for row in results["rows"] if row["reached"] is False]
    if check and missed:
        raise SystemExit(1)
