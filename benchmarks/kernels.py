"""The suite ``kernels``: every public kernel against every peer and a copy, over a grid of shapes."""

import inspect
from functools import partial

import numba
import numpy as np

from benchmarks import control, scaling, speedup
from benchmarks.against import kernel_peers
from benchmarks.cases import CASES, label, shapes
from benchmarks.measure import FULL, QUICK, first_call, interleave, microseconds, ratio
from benchmarks.placement import placed
from benchmarks.progress import say
from minibn import kernels

_CONTROLS = (control.FIRST, control.SECOND)
_TOLERANCE = 5e-3  # of the largest entry: the peers' sums in float32 are not exact


def _names(function):
    return list(inspect.signature(getattr(function, "py_func", function)).parameters)


def _functions(case, module):
    """Return a module's functions for a case, or None where it lacks one."""
    found = [getattr(module, name, None) for name in case.kernels]
    return None if None in found else found


def _arrays(functions, arguments, rng):
    """Return copies of the arguments that some functions name, at places of their own."""
    names = dict.fromkeys(name for function in functions for name in _names(function))
    return {name: placed(arguments[name], rng) for name in names}


def _chain(calls):
    """Return one function that makes some calls in turn, and returns what the last one does."""
    if len(calls) == 1:
        return calls[0]

    def run():
        for call in calls:
            result = call()
        return result

    return run


def _ours(case, arguments, rng):
    """Return a call of minibn's kernels, and their arrays by name."""
    functions = _functions(case, kernels)
    arrays = _arrays(functions, arguments, rng)
    calls = [partial(function, *(arrays[name] for name in _names(function))) for function in functions]
    return _chain(calls), arrays


def _theirs(case, module, arguments, rng):
    """Return a call of a peer's version, and a function that returns what it left, by name."""
    functions = _functions(case, module)
    arrays = _arrays(functions, arguments, rng)
    built = [function(*(arrays[name] for name in _names(function))) for function in functions]

    def outputs():
        return {k: v for _, left in built for k, v in (left() if callable(left) else left).items()}

    return _chain([run for run, _ in built]), outputs


def _alike(array, ours):
    """Return whether two arrays agree, but for one entry in 100,000: a ReLU's mask is a matter of rounding at 0."""
    tolerance = _TOLERANCE * max(1.0, float(np.abs(ours).max()))
    return np.count_nonzero(np.abs(array - ours) > tolerance) <= array.size // 10**5


def _check(case, against, ours, ours_result, theirs, theirs_result):
    """Raise unless two versions of a kernel computed the same."""
    for name, array in theirs.items():
        if not _alike(np.asarray(array), ours[name]):
            raise AssertionError(f"{case.name}: {name} of {against} differs from minibn's")
    if ours_result is not None:
        np.testing.assert_allclose(theirs_result, ours_result, 1e-4, err_msg=f"{case.name}, {against}")


def _copy(arrays, rng):
    """Return a copy of the largest array: the least work that reads and writes it once."""
    largest = max((a for a in arrays.values() if isinstance(a, np.ndarray)), key=lambda a: a.nbytes)
    return partial(np.copyto, placed(largest, rng), largest)


def _subjects(case, arguments, peers, rng, compiled):
    """Return what is timed side by side, on arrays placed anew, after checking that the results agree."""
    ours, arrays = _ours(case, arguments, rng)
    subjects, ours_result = {"minibn": ours, "copy": _copy(arrays, rng)}, ours()
    for name, module in peers.items():
        if _functions(case, module):
            if name not in compiled:  # on arrays of its own: a kernel in place changes them
                compiled[name] = first_call(_theirs(case, module, arguments, rng)[0])
            run, outputs = _theirs(case, module, arguments, rng)
            result = run()
            _check(case, name, arrays, ours_result, outputs(), result)
            subjects[name] = run
    return subjects | control.subjects()


def _rows(case, shape, seconds, compiled):
    """Return a row per peer, and one for the copy, whose ratio reads the other way round."""
    ours, common = seconds["minibn"], {"name": case.name, "shape": label(shape), "threads": 1}
    timed = {"minibn_us": microseconds(ours), "copy_us": microseconds(seconds["copy"]), "rounds": len(ours)}
    for against in seconds.keys() - {"minibn", *_CONTROLS}:
        copy = against == "copy"
        yield {
            **common,
            "against": against,
            **ratio(ours / seconds[against] if copy else seconds[against] / ours),
            "better": "less" if copy else "more",
            "peer_us": microseconds(seconds[against]),
            **timed,
            "compile_s": compiled["minibn"],
            "peer_compile_s": compiled.get(against),
        }


def measure(case, shape, peers, effort, compiled):
    """Time one kernel at one shape against all peers.

    Parameters
    ----------
    case : Case
    shape : tuple of int
    peers : dict of str to module
    effort : Effort
    compiled : dict of str to float
        Seconds of the first call of each of minibn's kernels; this one's are added where they are missing.

    Returns
    -------
    rows : list of dict
    control : ndarray
        Ratio of the control to itself, round by round.
    """
    rng = np.random.default_rng(1)
    arguments = case.arguments(rng, *shape)
    if case.name not in compiled:
        compiled[case.name] = first_call(_ours(case, arguments, rng)[0])
    firsts = {"minibn": compiled[case.name]}
    parts = [
        interleave(_subjects(case, arguments, peers, rng, firsts), effort) for _ in range(effort.placements)
    ]
    seconds = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return list(_rows(case, shape, seconds, firsts)), control.ratios(seconds)


def _warm_compiler():
    """Start Numba's machinery, so that its fixed cost is not charged to the first kernel."""
    numba.njit(lambda x: x.reshape(x.size)[0] + 1)(np.zeros((1, 1), np.float32))


def without_case():
    """Return the public kernels that have no case."""
    public = {name for name in kernels.__all__ if hasattr(getattr(kernels, name), "py_func")}
    return sorted(public - {name for case in CASES for name in case.kernels})


def run(settings):
    """Time every comparison and return details, controls and curves; progress goes to stderr."""
    if settings.threads > 1:
        return speedup.run(settings)
    _warm_compiler()
    peers, effort = kernel_peers(settings.peers), QUICK if settings.quick else FULL
    todo = [(case, shape) for case in CASES for shape in shapes(case, settings.quick)]
    compiled, details, controls = {}, [], []
    for i, (case, shape) in enumerate(todo, 1):
        rows, series = measure(case, shape, peers, effort, compiled)
        details += rows
        controls.append(series)
        say(f"[{i}/{len(todo)}] {case.name} {label(shape)}", rows)
    curves = scaling.kernel_curves(settings.quick)
    return {"details": details, "control": [control.summary(controls, 1)], "curves": curves}
