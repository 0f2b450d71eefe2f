"""``minibn predict``."""

import click

from .options import json_option, use_threads


@click.command()
@click.argument("checkpoint", type=click.Path())
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="Rows to predict; a target column may be absent.  [default: those of the run]",
)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the CSV to this file instead of stdout.")
@json_option
def predict(checkpoint, data, out, as_json):
    """Predict the class of every row, as CSV: row, prediction, one probability per class.

    CHECKPOINT is a run folder or its model.safetensors. Rows are counted from 1. The stored scaler is applied,
    columns are matched by name, and running statistics are used, never touched.
    """
    use_threads()
    from .progress import announce_compilation
    from .saved import open_saved

    announce_compilation()
    saved = open_saved(checkpoint, data, require_target=False)
    probabilities = saved.model.predict_proba(saved.x)
    if as_json:
        from .report import print_json

        print_json({"command": "predict", "checkpoint": checkpoint, "data": saved.dataset.name, "labels": saved.labels,
                    "predictions": _objects(saved.labels, probabilities)})  # fmt: skip
        return
    with click.open_file(out or "-", "w", encoding="utf-8") as file:
        _write_csv(file, saved.labels, probabilities)
    if out:
        from .tables import counted

        click.echo(f"{counted(len(probabilities), 'prediction')} written to {out}", err=True)


def _objects(labels, probabilities):
    return [
        {"row": row, "prediction": labels[p.argmax()], "probabilities": p.tolist()}
        for row, p in enumerate(probabilities, 1)
    ]


def _write_csv(file, labels, probabilities):
    import csv

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["row", "prediction", *(f"p_{label}" for label in labels)])
    for row, p in enumerate(probabilities, 1):
        writer.writerow([row, labels[p.argmax()], *(f"{value:.6g}" for value in p)])
