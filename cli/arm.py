"""One training run with progress on the terminal."""

from pathlib import Path

from minibn.lab import run
from minibn.train.checkpoint import MODEL_FILE, TRAINING_FILE

from .progress import follow


def run_arm(experiment, folder, done=None, label="training"):
    """Train, show progress, and judge; see :func:`minibn.lab.run`.

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
    total, before = experiment.settings.epochs, len(done or ())
    return run(experiment, folder, done, lambda epochs: follow(epochs, total, label, before))


def checkpoint_files(folder):
    """Return the checkpoint files that a run folder holds, by role."""
    paths = {"model": Path(folder) / MODEL_FILE, "training": Path(folder) / TRAINING_FILE}
    return {role: path for role, path in paths.items() if path.exists()}
