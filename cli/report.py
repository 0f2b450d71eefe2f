"""The JSON objects that the commands print and store."""

import json
import math

import click


def finite(value):
    """Return a value with every non-finite number in it replaced by None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(value):
    """Print one JSON object on stdout."""
    click.echo(json.dumps(finite(value), indent=2, allow_nan=False))


_FIGURES = ("epoch", "train_loss", "train_accuracy", "train_loss_eval", "val_loss", "val_accuracy")


def run_report(command, experiment, outcome, files, threads):
    """Return the object of one training run.

    Parameters
    ----------
    command : str
    experiment : Experiment
    outcome : Outcome
    files : dict of str to path
    threads : int

    Returns
    -------
    dict
    """
    config = experiment.settings.to_dict() | {"threads": threads}
    config.pop("depth")
    report = {
        "command": command,
        "config": config,
        "epochs": [{name: getattr(record, name) for name in _FIGURES} for record in outcome.records],
        "final": outcome.final,
        "files": {name: str(path) for name, path in files.items()},
    }
    if outcome.best_epoch is not None:
        report["best_epoch"] = outcome.best_epoch
    if outcome.failed:
        report["failed"] = outcome.failed
    return finite(report)
