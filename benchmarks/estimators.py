"""The suite ``estimators``: whole fits of MinibnClassifier against scikit-learn's MLPClassifier, and its import.

Equal settings, float32, one thread, no batch norm: scikit-learn has none.
"""

import subprocess
import sys
import tempfile
import warnings

import numpy as np

from benchmarks import control, fits
from benchmarks.measure import Effort, first_call, interleave, microseconds, ratio
from benchmarks.progress import say
from benchmarks.scaling import curve
from benchmarks.startup import environment, seconds_row

_FULL = Effort(burst=1e-3, budget=30.0, least=7, most=31, placements=1)
_QUICK = Effort(burst=1e-3, budget=3.0, least=3, most=9, placements=1)
_EPOCHS, _SEEDS = (10, 25, 50, 100, 200, 400), 5
PEER_IMPORT = "from sklearn.neural_network import MLPClassifier"
IMPORT = "import minibn.sklearn"
_TIMED_IMPORT = f"""
from time import perf_counter, process_time
{PEER_IMPORT}
clock, processor = perf_counter(), process_time()
{IMPORT}
print(perf_counter() - clock, process_time() - processor)
"""


def classifiers():
    """Return constructors of both classifiers by name, to be called with the settings of a task."""
    from sklearn.neural_network import MLPClassifier

    from minibn.sklearn import MinibnClassifier

    return {
        "minibn": lambda **s: MinibnClassifier(batch_norm=False, **s),
        "sklearn": lambda **s: MLPClassifier(**s),
    }


def _fit(make, task, x, y, epochs=None):
    return lambda seed=0: make(**task.settings(seed, epochs)).fit(x, y)


def accuracies(task, made, data, seeds):
    """Return the accuracy of both on the test rows, a column each and a row per seed."""
    x, y, *test = data
    return np.array(
        [[_fit(make, task, x, y)(seed).score(*test) for make in made.values()] for seed in range(seeds)]
    )


def _rows(task, seconds, first, scores):
    common = {"name": f"fit, {task.name}", "threads": 1, "against": "sklearn", "better": "more"}
    shape = f"{task.rows} rows, {task.hidden} hidden units, batch 200, {task.epochs} epochs"
    ours, theirs = scores.mean(axis=0).tolist()
    yield common | {
        "shape": shape,
        **ratio(seconds["sklearn"] / seconds["minibn"]),
        "minibn_us": microseconds(seconds["minibn"]),
        "peer_us": microseconds(seconds["sklearn"]),
        "accuracy": ours,
        "peer_accuracy": theirs,
        "rounds": len(seconds["minibn"]),
        "first_fit_s": first,
    }
    gains = 100 * (scores[:, 0] - scores[:, 1])
    name = f"accuracy, {task.name}"
    yield common | {"name": name, "against": "", "shape": shape, **ratio(gains), "ratio": float(gains.mean())}


def measure(task, effort, seeds):
    """Time fits of one task, interleaved; return its rows and the control."""
    data, made = task.data(task.rows), classifiers()
    fit = {name: _fit(make, task, *data[:2]) for name, make in made.items()}
    first = first_call(fit["minibn"])
    seconds = interleave(fit | control.subjects(), effort)
    rows = list(_rows(task, seconds, first, accuracies(task, made, data, seeds)))
    say(rows[0]["name"], rows[:1])
    return rows, control.ratios(seconds)


def curves(task, quick):
    """Return the time of a fit against its epochs: what does not grow with them is paid once."""
    x, y, *_ = task.data(task.rows)
    return [
        curve(name, "epochs", task.name, {n: _fit(make, task, x, y, n) for n in _EPOCHS[:: 2 if quick else 1]}, quick)
        for name, make in zip(("fit of MinibnClassifier", "fit of MLPClassifier"), classifiers().values(), strict=True)
    ]  # fmt: skip


def import_row(rounds):
    """Time what importing minibn.sklearn adds to importing scikit-learn's own classifier, in new processes.

    Inside of each: between whole processes, which take more than a second, such a difference would drown.
    """
    with tempfile.TemporaryDirectory() as home:
        command, outside = [sys.executable, "-c", _TIMED_IMPORT], environment(home)
        printed = [subprocess.check_output(command, env=outside, cwd=home) for _ in range(rounds + 1)]
    return seconds_row(IMPORT, PEER_IMPORT, np.array([line.split() for line in printed[1:]], float))


def run(settings):
    """Time every task; return details, the control and curves; nothing without scikit-learn."""
    if "sklearn" not in settings.peers:
        say("scikit-learn is not among the peers: no estimator to compare")
        return {"details": [], "control": []}
    details, controls, effort = [], [], _QUICK if settings.quick else _FULL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neither side has converged when its epochs are over
        for task in fits.tasks(settings.quick):
            rows, series = measure(task, effort, 2 if settings.quick else _SEEDS)
            details += rows
            controls.append(series)
        found = curves(fits.tasks(settings.quick)[0], settings.quick)
    details.append(import_row(3 if settings.quick else 15))
    say(f"{IMPORT}: {details[-1]['ratio']:.3f} s")
    return {"details": details, "control": [control.summary(controls, 1)], "curves": found}
