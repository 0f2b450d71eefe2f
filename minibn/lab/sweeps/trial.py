"""Playing the trials of a grid, wherever: the function that workers run."""

import math
import time
import warnings
from dataclasses import replace
from functools import lru_cache

from minibn.data import EXAMPLES, load
from minibn.errors import DataError
from minibn.lab.run import run
from minibn.lab.sweeps.grid import neutral
from minibn.train import prepare


def play(settings, digest=None):
    """Train once for each of some settings.

    Parameters
    ----------
    settings : list of Settings
        Resolved.
    digest : str, optional
        SHA-256 that the data must have, as a worker on another machine may see another file.

    Returns
    -------
    results : list of dict
        What :func:`result_of` tells of each.
    seconds : float
        What they took.
    """
    begun = time.perf_counter()
    with warnings.catch_warnings():
        # Here divergence is a result that is counted, not news.
        warnings.filterwarnings("ignore", "BatchNorm met a batch", RuntimeWarning)
        results = [_result(one, digest) for one in settings]
    return results, time.perf_counter() - begun


def _result(settings, digest):
    experiment = _prepared(neutral(settings))
    if digest not in (None, experiment.digest):  # a worker that lives long may remember an older file
        for remembered in (_prepared, _read):
            remembered.cache_clear()
        experiment = _prepared(neutral(settings))
    if digest not in (None, experiment.digest):
        raise DataError(
            f"{settings.data} is not the file here that it was where the sweep began; give all machines the same one"
        )
    # Data may bring a validation part of their own; the settings then say so.
    own = replace(settings, val_fraction=experiment.settings.val_fraction)
    return result_of(run(replace(experiment, settings=own)))


@lru_cache(maxsize=2)
def _prepared(settings):
    """Return the data of a seed, cut and scaled: most trials in a row share them."""
    return prepare(settings, None if settings.data in EXAMPLES else _read(settings.data, settings.target))


@lru_cache(maxsize=1)
def _read(data, target):
    """Return data that are the same for every seed."""
    return load(data, target=target)


def result_of(outcome):
    """Return what a sweep keeps of a run, JSON-able.

    Parameters
    ----------
    outcome : Outcome

    Returns
    -------
    dict
        ``accuracy`` and ``baseline`` in points on the validation part, ``diverged``, epoch and step of the failure,
        and the losses of the last epoch that was finished.
    """
    last = outcome.records[-1] if outcome.records else None
    return {
        "accuracy": 100 * outcome.accuracy,
        "diverged": outcome.diverged,
        "failed": outcome.failed,
        "train_loss": last and _finite(last.train_loss_eval),
        "val_loss": last and _finite(last.val_loss),
        "baseline": 100 * outcome.majority["accuracy"],
    }


def _finite(loss):
    return loss if math.isfinite(loss) else None
