"""Training: one step, the loop over it, its history, and checkpoints that resume bit for bit."""

from minibn.train.checkpoint import Checkpoint, load_model, save_model
from minibn.train.early_stopping import EarlyStopping
from minibn.train.experiment import Experiment, build, prepare, run_epochs, with_arm
from minibn.train.fit import epochs, fit
from minibn.train.history import EpochRecord, History
from minibn.train.judge import judge, search_threshold
from minibn.train.optimizers import SGD, Adam
from minibn.train.recalibrate import Recalibrated, recalibrate
from minibn.train.settings import Settings
from minibn.train.step import StepResult, step

__all__ = [
    "SGD",
    "Adam",
    "Checkpoint",
    "EarlyStopping",
    "EpochRecord",
    "Experiment",
    "History",
    "Recalibrated",
    "Settings",
    "StepResult",
    "build",
    "epochs",
    "fit",
    "judge",
    "load_model",
    "prepare",
    "recalibrate",
    "run_epochs",
    "save_model",
    "search_threshold",
    "step",
    "with_arm",
]
