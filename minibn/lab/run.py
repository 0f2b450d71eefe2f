"""Train one network on an experiment and judge it."""

from dataclasses import dataclass
from typing import Any

from minibn.errors import NonFiniteLossError
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
    baseline : float
        Share of the most frequent class among the validation rows.
    """

    model: Any
    records: list
    final: dict | None
    failed: dict | None
    best_epoch: int | None
    baseline: float

    @property
    def diverged(self):
        """Whether the loss stopped being finite."""
        return self.failed is not None

    @property
    def accuracy(self):
        """Share of validation rows right; of a diverged run, what always naming the majority class would get."""
        return self.baseline if self.final is None else self.final["accuracy"]


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
    final = None if failed else _final(experiment, model)
    return Outcome(
        model, records, final, failed, stopping and stopping.best_epoch, experiment.majority_baseline
    )


def _final(experiment, model):
    labels = experiment.dataset.labels
    return judge(model, experiment.x_validation, experiment.y_validation, labels, experiment.positive)
