"""Training: one step, the loop over it, its history, and checkpoints that resume bit for bit."""

from minibn.train.checkpoint import Checkpoint, load_model, save_model
from minibn.train.early_stopping import EarlyStopping
from minibn.train.fit import epochs, fit
from minibn.train.history import EpochRecord, History
from minibn.train.optimizers import SGD, Adam
from minibn.train.step import StepResult, step

__all__ = [
    "SGD",
    "Adam",
    "Checkpoint",
    "EarlyStopping",
    "EpochRecord",
    "History",
    "StepResult",
    "epochs",
    "fit",
    "load_model",
    "save_model",
    "step",
]
