"""Train one network on an experiment and judge it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minibn.errors import NonFiniteLossError
from minibn.train import EarlyStopping, build, judge, run_epochs
from minibn.train.checkpoint import MODEL_FILE, TRAINING_FILE

from .progress import follow


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
    """

    model: Any
    records: list
    final: dict | None
    failed: dict | None
    best_epoch: int | None


def run_arm(experiment, folder, done=None, label="training"):
    """Train, show progress, and judge.

    Parameters
    ----------
    experiment : Experiment
    folder : path or None
        Run folder, or None to save nothing.
    done : History, optional
        Epochs of the run in that folder, which is continued.
    label : str
        Shown with the progress.

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
        records += follow(epochs, experiment.settings.epochs, label, len(records))
    except NonFiniteLossError as error:
        records = list(error.history)
        failed = {"epoch": error.epoch, "step": error.step, "layer": error.layer}
    final = None if failed else _final(experiment, model)
    return Outcome(model, records, final, failed, stopping and stopping.best_epoch)


def _final(experiment, model):
    labels = experiment.dataset.labels
    return judge(model, experiment.x_validation, experiment.y_validation, labels, experiment.positive)


def checkpoint_files(folder):
    """Return the checkpoint files that a run folder holds, by role."""
    paths = {"model": Path(folder) / MODEL_FILE, "training": Path(folder) / TRAINING_FILE}
    return {role: path for role, path in paths.items() if path.exists()}
