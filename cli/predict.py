"""``minibn predict``."""

import click

from .options import checkpoint_argument, json_option, use_threads
from .threshold import threshold_option


@click.command()
@checkpoint_argument
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="Rows to predict; a target column may be absent.  [default: those of the run]",
)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the CSV to this file instead of stdout.")
@threshold_option
@json_option
def predict(checkpoint, data, out, threshold, as_json):
    """Predict the class of every row, as CSV: row, prediction, one probability per class.

    CHECKPOINT is a run folder or its model.safetensors. Rows are counted from 1. The stored scaler is applied,
    columns are matched by name, and running statistics are used, never touched.
    """
    use_threads()
    from .progress import announce_compilation
    from .saved import open_saved
    from .threshold import chosen_threshold, threshold_line

    announce_compilation()
    saved = open_saved(checkpoint, data, require_target=False)
    used = chosen_threshold(saved, threshold)
    probabilities = saved.model.predict_proba(saved.x)
    predictions = _classes(saved, probabilities, used)
    if as_json:
        from .report import print_json

        print_json({"command": "predict", "checkpoint": checkpoint, "data": saved.dataset.name, "labels": saved.labels,
                    "threshold": used, "predictions": _objects(predictions, probabilities)})  # fmt: skip
        return
    if used:
        click.echo(threshold_line(saved, used), err=True)
    with click.open_file(out or "-", "w", encoding="utf-8") as file:
        _write_csv(file, saved.labels, predictions, probabilities)
    if out:
        from .tables import counted

        click.echo(f"{counted(len(probabilities), 'prediction')} written to {out}", err=True)


def _classes(saved, probabilities, used):
    """Return the predicted label of every row."""
    if used is None:
        return [saved.labels[k] for k in probabilities.argmax(axis=1)]
    from minibn.train.judge import log_odds, probability

    positive = saved.labels.index(saved.positive)
    reaches = probability(log_odds(saved.model, saved.x, saved.labels, saved.positive)) >= used["threshold"]
    return [saved.labels[positive if reached else 1 - positive] for reached in reaches]


def _objects(predictions, probabilities):
    return [
        {"row": row, "prediction": predicted, "probabilities": p.tolist()}
        for row, (predicted, p) in enumerate(zip(predictions, probabilities, strict=True), 1)
    ]


def _write_csv(file, labels, predictions, probabilities):
    import csv

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["row", "prediction", *(f"p_{label}" for label in labels)])
    for row, (predicted, p) in enumerate(zip(predictions, probabilities, strict=True), 1):
        writer.writerow([row, predicted, *(f"{value:.6g}" for value in p)])
