"""The suite ``kernels``: every public kernel against every peer and a copy, over a grid of shapes."""

import numba
import numpy as np

from benchmarks import calls, control, scaling, speedup
from benchmarks.against import kernel_peers
from benchmarks.cases import CASES, label, shapes
from benchmarks.measure import FULL, QUICK, first_call, interleave, microseconds, ratio
from benchmarks.progress import say
from minibn import kernels

_CONTROLS = (control.FIRST, control.SECOND)
_TOLERANCE = 5e-3  # of the largest entry: the peers' sums in float32 are not exact


def _alike(array, ours):
    """Return whether two arrays agree, but for one entry in 100,000: a ReLU's mask is a matter of rounding at 0."""
    tolerance = _TOLERANCE * max(1.0, float(np.abs(ours).max()))
    return np.count_nonzero(np.abs(array - ours) > tolerance) <= array.size // 10**5


def _check(case, against, ours, ours_result, theirs, theirs_result):
    """Raise unless two versions of a kernel computed the same."""
    for name, array in theirs.items():
        if not _alike(array, ours[name]):
            raise AssertionError(f"{case.name}: {name} of {against} differs from minibn's")
    if ours_result is not None:
        np.testing.assert_allclose(theirs_result, ours_result, 1e-4, err_msg=f"{case.name}, {against}")


def subjects(case, arguments, peers, rng, compiled):
    """Return what is timed side by side, on arrays placed anew, after checking that the results agree.

    Parameters
    ----------
    case : Case
    arguments : dict of str to object
    peers : dict of str to module
    rng : numpy.random.Generator
        Chooses the places.
    compiled : dict of str to float
        Seconds of each peer's first call; those that are missing are added.

    Returns
    -------
    dict of str to callable

    Raises
    ------
    AssertionError
        When a peer computes something else.
    """
    ours, arrays = calls.ours(case, arguments, rng)
    found, ours_result = {"minibn": ours, "copy": calls.copy(arrays, rng)}, ours()
    for name, module in peers.items():
        if calls.functions(case, module):
            if name not in compiled:  # on arrays of its own: a kernel in place changes them
                compiled[name] = first_call(calls.theirs(case, module, arguments, rng)[0])
            run, outputs = calls.theirs(case, module, arguments, rng)
            result = run()
            _check(case, name, arrays, ours_result, outputs(), result)
            found[name] = run
    return found | control.subjects()


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
        compiled[case.name] = first_call(calls.ours(case, arguments, rng)[0])
    firsts = {"minibn": compiled[case.name]}
    parts = [
        interleave(subjects(case, arguments, peers, rng, firsts), effort) for _ in range(effort.placements)
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


def _prepared(names):
    """Return the peers, each told to compute in one thread and nothing but what is asked."""
    peers = kernel_peers(names)
    for module in peers.values():
        getattr(module, "prepare", lambda: None)()
    return peers


def run(settings):
    """Time every comparison and return details, controls and curves; progress goes to stderr."""
    if settings.threads > 1:
        return speedup.run(settings)
    _warm_compiler()
    peers, effort = _prepared(settings.peers), QUICK if settings.quick else FULL
    todo = [(case, shape) for case in CASES for shape in shapes(case, settings.quick)]
    compiled, details, controls = {}, [], []
    for i, (case, shape) in enumerate(todo, 1):
        rows, series = measure(case, shape, peers, effort, compiled)
        details += rows
        controls.append(series)
        say(f"[{i}/{len(todo)}] {case.name} {label(shape)}", rows)
    if without_case():
        say(f"kernels without a case: {', '.join(without_case())}")
    return {
        "details": details,
        "control": [control.summary(controls, 1)],
        "curves": scaling.kernel_curves(settings.quick),
        "without_case": without_case(),
    }
