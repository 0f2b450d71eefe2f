"""``minibn recalibrate``."""

import shutil
from pathlib import Path

import click

from .options import checkpoint_argument, folder_name, json_option, refuse_target_alone, use_threads

REPORT = "recalibrate.json"


@click.command()
@checkpoint_argument
@click.option(
    "--data", metavar="NAME|PATH", help="Rows to take statistics of.  [default: the run's training rows]"
)
@click.option("--target", metavar="COLUMN", help="Target column.  [default: as in training]")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    callback=folder_name,
    help="Folder for the new model.  [default: CHECKPOINT-recalibrated]",
)
@click.option("--overwrite", is_flag=True, help="Replace the run in --out, which may be CHECKPOINT itself.")
@json_option
def recalibrate(checkpoint, data, target, out, overwrite, as_json):
    """Give a trained model exact running statistics.

    Takes mean and variance before every batch norm over all training rows, or over the rows of --data, which need no
    labels; shows loss and accuracy on the run's validation rows before and after; and saves a copy of the run with the
    new statistics. Weights stay as they are.
    """
    use_threads()
    refuse_target_alone(data, target)
    from .progress import announce_compilation

    announce_compilation()
    folder = _folder(checkpoint, out, overwrite)
    report = _recalibrated(checkpoint, data, target, folder) | {"folder": str(folder)}
    from .report import finite, print_json
    from .runs import write_json

    report = finite(report)
    write_json(folder / REPORT, report)
    print_json(report) if as_json else _print(report)


def _folder(checkpoint, out, overwrite):
    """Return where to save, refusing to replace a run unless told to."""
    from .runs import held_files

    run = _run(checkpoint)
    run = run if run.name else run.resolve()
    folder = Path(out) if out else run.with_name(f"{run.name}-recalibrated")
    if held_files(folder) and not overwrite:
        raise click.UsageError(f"{folder} holds a run; use --overwrite to replace it, or another --out")
    if any(path.parent.resolve() == run.resolve() != folder.resolve() for path in held_files(folder)):
        raise click.UsageError(f"{folder} holds {run}, which would be replaced with it; use another --out")
    return folder


def _run(checkpoint):
    """Return the folder of a run that is given as itself or as its model."""
    path = Path(checkpoint)
    return path if path.is_dir() else path.parent


def _recalibrated(checkpoint, data, target, folder):
    from minibn.train import load_model, recalibrate

    from .patient import open_patient

    patient = open_patient(checkpoint, None, None)
    x, source = _rows(checkpoint, data, target, patient)
    before = _measured(patient)
    changes = recalibrate(patient.model, x)
    if not changes:
        raise click.UsageError(f"{checkpoint} has no batch norm that is not frozen: nothing to recalibrate")
    description = load_model(checkpoint)[1]
    dropped = description.pop("threshold", None)
    _save(checkpoint, folder, patient.model, description)
    return {
        "command": "recalibrate",
        "checkpoint": str(checkpoint),
        "statistics_of": source,
        "layers": [_change(change) for change in changes],
        "before": before,
        "after": _measured(patient),
        "threshold_dropped": dropped and dropped["threshold"],
    }


def _rows(checkpoint, data, target, patient):
    """Return the rows to take statistics of, and what they are."""
    from .saved import open_saved
    from .tables import counted

    if data is not None:
        saved = open_saved(checkpoint, data, target, require_target=False)
        return saved.x, f"{saved.dataset.name}, {saved.chosen}"
    if patient.train is None:
        raise click.UsageError(f"{patient.without_train}; name rows with --data")
    return patient.train[0], f"{patient.saved.dataset.name}, {counted(len(patient.train[0]), 'training row')}"


def _measured(patient):
    """Return loss and accuracy, in evaluation mode, of the rows there are."""
    from minibn.lab.doctor.passes import evaluated

    parts = {"validation" if patient.held_out else "all rows": patient.judged}
    parts |= {} if patient.train is None else {"training": patient.train}
    found = {name: evaluated(patient.model, *part) for name, part in parts.items()}
    return {name: {"loss": part.loss, "accuracy": part.accuracy} for name, part in found.items()}


def _change(change):
    return {
        "layer": change.layer,
        "mean_shift": float(change.mean_shift.max()),
        "var_ratio": [float(change.var_ratio.min()), float(change.var_ratio.max())],
    }


def _save(checkpoint, folder, model, description):
    """Write the model last, atomically; of another run in the folder nothing stays beside it."""
    from minibn.train import save_model
    from minibn.train.checkpoint import MODEL_FILE, TRAINING_FILE

    from .runs import MANIFEST, held_files

    source = _run(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != source.resolve():
        for path in held_files(folder):
            if path != folder / MODEL_FILE:
                path.unlink()
        for name in (MANIFEST, TRAINING_FILE):
            if (source / name).exists():
                shutil.copy2(source / name, folder / name)
    save_model(folder / MODEL_FILE, model, description)


def _print(report):
    from .tables import heading, number, print_files, table

    click.secho(f"exact statistics of {report['statistics_of']}", bold=True)
    heading("what changed (means in standard deviations, variances as ratio old to new)")
    rows = [
        (
            row["layer"],
            number(row["mean_shift"]),
            " to ".join(number(end) for end in row["var_ratio"]),
        )
        for row in report["layers"]
    ]
    click.echo(table(("layer", "largest shift of a mean", "old variance / new"), rows))
    heading("in evaluation mode")
    before, after = report["before"], report["after"]
    rows = [
        (part, *(number(found[part][name]) for name in ("loss", "accuracy") for found in (before, after)))
        for part in before
    ]
    click.echo(table(("rows", "loss before", "after", "accuracy before", "after"), rows))
    if report["threshold_dropped"] is not None:
        click.echo(
            "Warning: the stored threshold was searched with the old statistics and is left out", err=True
        )
    print_files({"folder": report["folder"]})
