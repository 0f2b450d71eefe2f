"""A sweep: the trainings of a grid, played anywhere, kept as they come."""

import time
from contextlib import nullcontext
from dataclasses import replace

from minibn.cores import usable_cores
from minibn.data import EXAMPLES
from minibn.lab.sweeps.dispatch import played
from minibn.lab.sweeps.executors import InProcess, local_processes
from minibn.lab.sweeps.lock import alone
from minibn.lab.sweeps.report import sweep_report
from minibn.lab.sweeps.trial import play
from minibn.lab.sweeps.trial_file import TrialFile
from minibn.train import prepare

_LOOK = 1.0  # seconds of trials in this process, before more are thought of
_WORTH = 15.0  # seconds of work left from which starting processes pays


def sweep(grid, path=None, *, jobs=1, executor=None, workers=1, progress=None, first=None):
    """Train every cell of a grid with and without batch norm, and report where batch norm makes a difference.

    The results are the same bits wherever they are made, as long as BLAS has one thread there.

    Parameters
    ----------
    grid : Grid
    path : path, optional
        File of JSON lines to keep results in; a file of the same sweep is continued.
    jobs : int or None
        Processes: 1 for this one; None for this one, and as many others as there are cores once more than 15 s of
        work are left. A script that asks for others needs ``if __name__ == "__main__":``.
    executor : concurrent.futures.Executor, optional
        To run on, in place of ``jobs``; ``minibn.lab.sweeps.executors`` gives those of dask and MPI.
    workers : int
        Calls that this executor runs at once.
    progress : callable, optional
        Called with the number of trials done and of all.
    first : Experiment, optional
        What ``minibn.lab.sweeps.sweep.look`` returned for this grid, to spare reading the data again.

    Returns
    -------
    Report

    Raises
    ------
    MinibnError
        A subclass for unusable settings or data, a file of another sweep or of one that is running, or a process
        that died.

    Examples
    --------
    >>> from minibn.lab import Grid, sweep
    >>> from minibn.train import Settings
    >>> grid = Grid(Settings(data="example", epochs=1), {"lr": (0.01, 1.0)}, seeds=(0, 1))
    >>> report = sweep(grid)
    >>> report.tables[0].head[0], [row[0] for row in report.tables[0].rows]
    ('lr', ['0.01', '1'])
    """
    first = first or look(grid)
    with nullcontext() if path is None else alone(path):
        results = _swept(grid, path, first, jobs, executor, workers, progress)
    return sweep_report(grid, results, first)


def _swept(grid, path, first, jobs, executor, workers, progress):
    """Return the results of all trials, kept in a file where one is named."""
    file = None if path is None else TrialFile(path, grid, first.digest)
    results = {} if file is None else file.results
    for done in _played(grid, results, first, jobs, executor, workers):
        if file is None:
            results.update({trial.key: result for trial, result in done})
        else:
            file.append(done)
        if progress:
            progress(len(results), len(grid.trials))
    if file is not None:
        file.finish()
    return results


def look(grid):
    """Return the experiment of the first seed with the largest network of a grid.

    Raises
    ------
    MinibnError
        A subclass that says what is wrong with the data, or that the network is too large for this machine.
    """
    largest = max(grid.trials, key=lambda trial: sum(trial.settings.hidden))
    return prepare(replace(largest.settings, seed=grid.seeds[0]))


def _played(grid, results, first, jobs, executor, workers):
    """Play what is not among the results, and yield it chunk by chunk."""
    digest = None if grid.settings.data in EXAMPLES else first.digest  # each seed has an example of its own
    todo = [trial for trial in grid.trials if trial.key not in results]
    if todo and executor is None and jobs is None:
        began, before = time.perf_counter(), len(todo)
        for chunk in played(todo, InProcess(), 1, digest):
            yield chunk
            if time.perf_counter() - began > _LOOK:
                break
        todo = [trial for trial in todo if trial.key not in results]
        jobs = _fitting(len(todo), (time.perf_counter() - began) / (before - len(todo)))
    if todo and executor is None and jobs == 1:
        yield from played(todo, InProcess(), 1, digest)
    elif todo:
        _compile(todo)
        place = local_processes(jobs) if executor is None else nullcontext((executor, workers))
        with place as (there, at_once):
            yield from played(todo, there, at_once, digest)


def _fitting(trials, seconds):
    """Return the number of processes for some trials that take so many seconds each."""
    return min(usable_cores(), trials) if trials * seconds > _WORTH else 1


def _compile(trials):
    """Train an epoch of each kind here, so that workers find machine code in the cache instead of all making it."""
    kinds = {(trial.bn, trial.settings.activation): trial.settings for trial in trials}
    play([replace(settings, epochs=1) for settings in kinds.values()])
