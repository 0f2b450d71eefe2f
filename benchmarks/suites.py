"""Run suites, each number of threads in a process of its own, and put together what they found."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import goals, machine
from benchmarks.settings import Settings

SUITES = {
    "kernels": "Every public kernel against NumPy, PyTorch, JAX and a copy; cost against rows and features.",
    "training": "Whole epochs against PyTorch, JAX and scikit-learn; what an epoch allocates; cost against depth.",
    "estimators": "Fits of MinibnClassifier against scikit-learn's MLPClassifier, and its import.",
    "startup": "The command minibn, from the shell's point of view.",
}
ROOT = Path(__file__).parents[1]


class SuiteError(RuntimeError):
    """A process that measures has failed; its own words are on stderr."""


def _measured(suite, settings, folder):
    """Run a suite in a process of its own and return what it found."""
    result = Path(folder, f"{settings.threads}.json")
    # A process that times others passes on the user's environment as it is.
    environment = dict(os.environ) if suite == "startup" else machine.environment(settings.threads, folder)
    command = [sys.executable, "-m", "benchmarks.worker", suite, settings.dump(), str(result)]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        raise SuiteError(f"the suite {suite} failed with {settings.threads} threads; the reason stands above")
    return json.loads(result.read_text())


def run(suite, peers, missing, threads, quick):
    """Measure a suite and return its report.

    Parameters
    ----------
    suite : str
    peers, missing : list of str
        Peers that are installed, and those that were asked for and are not.
    threads : list of int
    quick : bool

    Returns
    -------
    dict
        Versions, machine, a row per goal, and the details behind them.
    """
    counts = {"startup": threads[:1], "estimators": [1]}.get(suite, threads)
    with tempfile.TemporaryDirectory(prefix="minibn-benchmark-", ignore_cleanup_errors=True) as folder:
        parts = [_measured(suite, Settings(tuple(peers), count, quick), folder) for count in counts]
    details = [row for part in parts for row in part["details"]]
    return {
        "versions": machine.versions(peers),
        "cpu": machine.cpu(),
        "threads": threads,
        "quick": quick,
        "missing": missing,
        "control": [control for part in parts for control in part["control"]],
        "rows": goals.rows(suite, details),
        "details": details,
        "curves": [curve for part in parts for curve in part.get("curves", [])],
        "without_case": [name for part in parts for name in part.get("without_case", [])],
    }


def save(report, path):
    """Write a report as JSON, making the folder where it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


def missed(reports):
    """Return what ``--check`` finds: goals that were measured and not reached, and kernels that nothing times."""
    found = []
    for report in reports:
        rows = [row for row in report["rows"] if row["reached"] is False]
        found += [f"{row['name']} ({row['against']})" if row["against"] else row["name"] for row in rows]
        found += [f"{name} has no case" for name in report["without_case"]]
    return found
