"""Run the doctor over faults and healthy runs, and count."""

import tempfile
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks import machine
from benchmarks.doctor import sets
from benchmarks.doctor.faults import FAULTS
from benchmarks.doctor.healthy import healthy_run
from benchmarks.progress import say

RECALL, FALSE_ALARMS = 0.9, 0.02
HEALTHY = 200


def measure(seeds=20, runs=HEALTHY, tuning=False, mammography=None, workers=1):
    """Return what the doctor found in every fault and in healthy runs.

    Parameters
    ----------
    seeds : int
        Seeds of every fault on every data set.
    runs : int
        Healthy runs over all data sets.
    tuning : bool
        The seeds and data sets that thresholds are chosen on, in place of those that are reported.
    mammography : path, optional
        File of the mammography data, in place of iris.
    workers : int
        Processes; the figures do not depend on them.

    Returns
    -------
    dict
    """
    names = sets.names(tuning, mammography)
    first = sets.FIRST_SEED["tuning" if tuning else "report"]
    tasks = [(_fault, fault, names, range(first, first + seeds)) for fault in FAULTS]
    tasks += [(_healthy, name, [name], range(first, first + runs // len(names))) for name in names]
    found = _played(tasks, workers)
    faults, well = found[: len(FAULTS)], _together(found[len(FAULTS) :])
    return {
        "versions": machine.versions([]),
        "tuning": tuning,
        "data": [sets.title(name) for name in names],
        "seeds": [first, first + seeds - 1],
        "faults": faults,
        "healthy": well,
        "rows": _goals(faults, well),
    }


def _played(tasks, workers):
    if workers == 1:
        return list(map(_play, tasks))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_play, tasks))


def _play(task):
    function, name, data, seeds = task
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(name, data, seeds, folder)


def _names_found(told):
    from minibn.lab import doctor

    told = dict(told)
    return [finding.name for finding in doctor(told.pop("model"), told.pop("data"), **told).faults]


def _fault(name, data, seeds, folder):
    """Return how often a fault is found, by data set, and what else is said of it."""
    build, wanted = FAULTS[name]
    found, others, runs = Counter(), Counter(), len(seeds)
    for source in data:
        for seed in seeds:
            named = _names_found(build(source, seed, folder))
            found[sets.title(source)] += wanted in named
            others.update(other for other in named if other != wanted)
    by_data = {sets.title(source): found[sets.title(source)] / runs for source in data}
    recall = sum(found.values()) / (runs * len(data))
    say(f"{name}: {sum(found.values())} of {runs * len(data)}")
    return {"name": name, "finding": wanted, "runs": runs * len(data), "found": sum(found.values()), "recall": recall,
            "by_data": by_data, "also_said": dict(others.most_common())}  # fmt: skip


def _healthy(name, data, seeds, folder):
    """Return false alarms in healthy runs, by rule and by data set."""
    by_rule, by_data, alarmed = Counter(), Counter(), 0
    for source in data:
        for seed in seeds:
            named = _names_found(healthy_run(source, seed, folder))
            by_rule.update(named)
            by_data[sets.title(source)] += bool(named)
            alarmed += bool(named)
    runs = len(data) * len(seeds)
    say(f"healthy, {sets.title(name)}: {alarmed} of {runs} with a fault")
    return {"runs": runs, "alarmed": alarmed, "share": alarmed / runs, "by_rule": dict(by_rule),
            "by_data": {sets.title(source): by_data[sets.title(source)] for source in data}}  # fmt: skip


def _together(parts):
    """Return the counts of several parts of the healthy runs as those of all."""
    runs, alarmed = (sum(part[name] for part in parts) for name in ("runs", "alarmed"))
    by_rule = sum((Counter(part["by_rule"]) for part in parts), Counter())
    by_data = {name: count for part in parts for name, count in part["by_data"].items()}
    return {
        "runs": runs,
        "alarmed": alarmed,
        "share": alarmed / runs,
        "by_rule": dict(by_rule),
        "by_data": by_data,
    }


def _goals(faults, well):
    rows = [{"name": fault["name"], "measured": fault["recall"], "goal": RECALL, "reached": fault["recall"] >= RECALL}
            for fault in faults]  # fmt: skip
    share = well["share"]
    return [
        *rows,
        {"name": "false alarms", "measured": share, "goal": FALSE_ALARMS, "reached": share <= FALSE_ALARMS},
    ]


def missed(report):
    """Return the names of goals that were not reached."""
    return [row["name"] for row in report["rows"] if not row["reached"]]
