"""Train one network on an experiment and judge it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minibn.errors import NonFiniteLossError
from minibn.train import build, judge, run_epochs
from minibn.train.checkpoint import MODEL_FILE, TRAINING_FILE, load_history

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


def run_arm(experiment, folder, resume=None, label="training"):
    """Train, show progress, and judge.

    Parameters
    ----------
    experiment : Experiment
    folder : path or None
        Run folder, or None to save nothing.
    resume : path, optional
        Run folder to continue.
    label : str
        Shown with the progress.

    Returns
    -------
    Outcome
    """
    model, records, failed = build(experiment), [], None
    history = load_history(resume) if resume else None
    records += history.records if history else ()
    try:
        epochs = run_epochs(experiment, model, folder, resume)
        records += follow(epochs, experiment.settings.epochs, label, len(records))
    except NonFiniteLossError as error:
        records = list(error.history)
        failed = {"epoch": error.epoch, "step": error.step, "layer": error.layer}
    final = None if failed else _final(experiment, model)
    best = _best_epoch(experiment, records)
    return Outcome(model, records, final, failed, best)


def _final(experiment, model):
    labels = experiment.dataset.labels
    return judge(model, experiment.x_validation, experiment.y_validation, labels, experiment.positive)


def _best_epoch(experiment, records):
    if experiment.settings.early_stopping is None or not records:
        return None
    return min(records, key=lambda record: record.val_loss).epoch


def checkpoint_files(folder):
    """Return the checkpoint files that a run folder holds, by role."""
    paths = {"model": Path(folder) / MODEL_FILE, "training": Path(folder) / TRAINING_FILE}
    return {role: path for role, path in paths.items() if path.exists()}
