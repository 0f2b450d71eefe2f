"""Paired runs with and without batch norm: everything but batch norm is the same in both."""

from dataclasses import dataclass, replace

from minibn.data import EXAMPLES, load
from minibn.lab.run import run
from minibn.train import prepare, with_arm

WITH, WITHOUT = "with batch norm", "without batch norm"
ARMS = {WITH: True, WITHOUT: False}


@dataclass(frozen=True, eq=False)
class Pair:
    """Both runs of one seed.

    Attributes
    ----------
    seed : int
    outcomes : dict of str to Outcome
        By arm.
    """

    seed: int
    outcomes: dict


def experiments(settings, seeds):
    """Yield the experiment of each seed; a file is read only once.

    The seed fixes split, initial weights and order, and of the examples also the data.

    Parameters
    ----------
    settings : Settings
    seeds : iterable of int

    Yields
    ------
    Experiment
    """
    settings = settings.resolved()
    original = None if settings.data in EXAMPLES else load(settings.data, target=settings.target)
    for seed in seeds:
        yield prepare(replace(settings, seed=seed), original)


def pairs(settings, seeds, rates=None, folders=None, watch=None):
    """Yield both runs of each seed: on one split, from one draw of weights, in one order of batches.

    Parameters
    ----------
    settings : Settings
        Its ``bn`` and ``seed`` are set here.
    seeds : sequence of int
    rates : dict of str to float, optional
        Learning rate of each arm, in place of the settings'.
    folders : dict of str to path, optional
        Run folder of each arm for the runs of the first seed; other runs are not saved, and their networks not
        kept.
    watch : callable, optional
        Called as ``watch(arm, experiment)`` before each run; returns None, or what :func:`run` takes as ``follow``.

    Yields
    ------
    Pair
    """
    for number, experiment in enumerate(experiments(settings, seeds)):
        outcomes = {}
        for arm in ARMS:
            own = _arm(experiment, arm, rates)
            follow = watch(arm, own) if watch else None
            outcome = run(own, folders[arm] if folders and not number else None, follow=follow)
            outcomes[arm] = replace(outcome, model=None) if number else outcome
        yield Pair(experiment.settings.seed, outcomes)


def _arm(experiment, arm, rates):
    experiment = with_arm(experiment, ARMS[arm])
    if rates is None:
        return experiment
    return replace(experiment, settings=replace(experiment.settings, lr=rates[arm]))
