"""Run folders without a model: what they hold instead."""

import json
from pathlib import Path

_KINDS = {"sweep": "a sweep", "study": "a study", "lr-find": "a search for a learning rate"}


def run_folder(checkpoint):
    """Return the folder of a checkpoint, which may be named itself."""
    return Path(checkpoint) if Path(checkpoint).is_dir() else Path(checkpoint).parent


def diverged(checkpoint):
    """Return the stored report of a run that diverged before any epoch was done, None for everything else."""
    from minibn.train.checkpoint import MODEL_FILE

    folder = run_folder(checkpoint)
    if (folder / MODEL_FILE).exists() or Path(checkpoint) not in (folder, folder / MODEL_FILE):
        return None
    found = _stored(folder)
    return found if found.get("command") == "train" and found.get("failed") else None


def refuse_without_model(checkpoint):
    """Say what a folder holds that a command took for a run with a model.

    Raises
    ------
    CheckpointError
        When it is a run that diverged at once, or of a command that leaves no model.
    """
    from minibn.errors import CheckpointError
    from minibn.train.checkpoint import MODEL_FILE

    run = diverged(checkpoint)
    if run:
        raise CheckpointError(
            f"{checkpoint}: the run diverged in epoch {run['failed']['epoch']} and holds no model; "
            f"minibn doctor {checkpoint} says more"
        )
    folder = Path(checkpoint)
    kind = "sweep" if (folder / "trials.jsonl").exists() else _stored(folder).get("command")
    if kind in _KINDS and not (folder / MODEL_FILE).exists():
        raise CheckpointError(
            f"{checkpoint} holds {_KINDS[kind]}, and no model; pass the folder of a run of minibn train"
        )


def _stored(folder):
    """Return the report that a command left in a folder, an empty one where there is none."""
    from .runs import METRICS

    try:
        found = json.loads((folder / METRICS).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def diverged_diagnosis(run, checkpoint):
    """Return what the doctor says of a run that diverged before any epoch was done.

    Parameters
    ----------
    run : dict
        From :func:`diverged`.
    checkpoint : str

    Returns
    -------
    Diagnosis
    Report
    """
    from minibn.lab import Report
    from minibn.lab.doctor.diagnosis import Diagnosis, Finding, Unchecked
    from minibn.lab.doctor.registry import RULES

    from .tables import failure_line

    name, config = "diverging loss", run["config"]
    figure = f"{failure_line(run['failed']).partition(': ')[2]}, at learning rate {config['lr']:g}"
    cause = "steps larger than the surface of the loss allows: the learning rate is too high"
    fault = Finding(name, figure, cause, _remedy(config))
    missing = tuple(Unchecked(rule.name, "the run holds no model") for rule in RULES if rule.name != name)
    diagnosis = Diagnosis((fault,), (), missing, (name,), None)
    data = f"{config['data']}: the run diverged in epoch {run['failed']['epoch']} and holds no model"
    told = {name: config[name] for name in ("optimizer", "lr", "batch_size", "bn", "hidden")}
    report = Report(
        name="doctor",
        title=f"doctor: {checkpoint}",
        question="What is wrong with this network, why, and what helps?",
        verdict="1 fault",
        statements=(f"fault, {name}: {figure}. Cause: {cause}. Remedy: {fault.remedy}.",),
        conditions={"checkpoint": checkpoint, "data": data, "threshold": None} | told,
    )
    return diagnosis, report


def _remedy(config):
    norm = "" if config["bn"] else "; --bn"
    return f"--lr {config['lr'] / 10:g} or less; minibn lr-find shows where to start; scale the inputs{norm}"
