"""Train one network on an experiment and judge it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minibn.errors import NonFiniteLossError
from minibn.metrics import confusion_matrix, summarize
from minibn.train import EarlyStopping, build, judge, run_epochs


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one run came to.

    Attributes
    ----------
    model : Sequential
    records : list of EpochRecord
    final : dict or None
        Metrics on the validation part, with the weights kept; None after a failure.
    failed : dict or None
        Epoch, step and layer of a non-finite loss.
    best_epoch : int or None
        Epoch whose weights early stopping kept.
    majority : dict
        Metrics on the validation part of always naming its largest class: what a diverged run is worth.
    """

    model: Any
    records: list
    final: dict | None
    failed: dict | None
    best_epoch: int | None
    majority: dict

    @property
    def diverged(self):
        """Whether the loss stopped being finite."""
        return self.failed is not None

    @property
    def metrics(self):
        """Metrics on the validation part; of a diverged run, those of always naming the largest class."""
        return self.majority if self.final is None else self.final

    @property
    def accuracy(self):
        """Share of validation rows right; see :attr:`metrics`."""
        return self.metrics["accuracy"]


def run(experiment, folder=None, done=None, follow=None):
    """Train a network with the settings of an experiment, and judge it on the validation part.

    A loss that stops being finite is a result here, not an error.

    Parameters
    ----------
    experiment : minibn.train.Experiment
    folder : path, optional
        Run folder to save to.
    done : History, optional
        Epochs of the run in that folder, which is continued.
    follow : callable, optional
        Called with the iterator of records and returns one like it: a place for a progress bar.

    Returns
    -------
    Outcome

    Examples
    --------
    >>> from minibn.lab import run
    >>> from minibn.train import Settings, prepare
    >>> outcome = run(prepare(Settings(data="example", epochs=2)))
    >>> len(outcome.records), outcome.diverged
    (2, False)
    """
    model, records, failed = build(experiment), list(done or ()), None
    patience = experiment.settings.early_stopping
    stopping = None if patience is None else EarlyStopping(patience)
    try:
        epochs = run_epochs(
            experiment, model, folder, None if done is None else folder, early_stopping=stopping
        )
        for record in follow(epochs) if follow else epochs:
            records.append(record)
    except NonFiniteLossError as error:
        records = list(error.history)
        failed = {"epoch": error.epoch, "step": error.step, "layer": error.layer}
    final = None if failed else _judged(experiment, model)
    return Outcome(model, records, final, failed, stopping and stopping.best_epoch, _majority(experiment))


def _judged(experiment, model):
    labels = experiment.dataset.labels
    return judge(model, experiment.x_validation, experiment.y_validation, labels, experiment.positive)


def _majority(experiment):
    """Return the metrics of always naming the largest class, which ranks no row before another."""
    y, labels = experiment.y_validation, experiment.dataset.labels
    always = np.full_like(y, np.bincount(y).argmax())
    found = summarize(confusion_matrix(y, always, len(labels)), labels=labels, positive=experiment.positive)
    positive = found["positive"]
    share = None if positive is None else float(np.mean(y == list(labels).index(positive)))
    return found | {"average_precision": share or None, "prevalence": share}
