"""Runs with nothing wrong in them: usual settings, with and without batch norm, on rows that are split and scaled right."""

from benchmarks.doctor import sets
from minibn.lab import run

VARIANTS = (
    {},
    {"activation": "tanh"},
    {"activation": "sigmoid"},
    {"depth": 2, "hidden": (32,)},
    {"depth": 3, "hidden": (32,)},
    {"optimizer": "adam", "lr": 0.003},
    {"batch_size": 16, "momentum": 0.9, "lr": 0.02},
    {"batch_size": 64},
    {"bn": False},
    {"bn": False, "activation": "tanh", "depth": 2, "hidden": (32,)},
)
EPOCHS = 20


def healthy_run(name, seed, folder):
    """Return what the doctor is told about a healthy run."""
    settings = {"lr": 0.1, "hidden": (64,), "epochs": EPOCHS} | VARIANTS[seed % len(VARIANTS)]
    # Plain training misses most of a rare class, which is a fault: the documents' quiz.
    weight = {"class_weight": "balanced"} if sets.title(name) in ("mammography", "rare") else {}
    found = sets.experiment(name, seed, folder, **settings, **weight)
    return told(found, run(found))


def told(experiment, outcome, **more):
    """Return the arguments of the doctor for a run."""
    return {
        "model": outcome.model,
        "data": experiment,
        "history": outcome.records,
        "failed": outcome.failed,
    } | more
