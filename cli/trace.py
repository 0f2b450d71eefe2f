"""``minibn trace``."""

import click

from .options import compile_on_two_cores, json_option, use_threads


@click.command()
@click.argument("checkpoint", type=click.Path(), required=False)
@click.option("--data", metavar="NAME|PATH", help="Data to trace.  [default: those of the run]")
@click.option(
    "--row", type=int, default=1, show_default=True, help="Row to follow through every layer, counted from 1."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the example, without a checkpoint.",
)
@json_option
def trace(checkpoint, data, row, seed, as_json):
    """Follow data through the network, stage by stage, and then one row through every layer.

    CHECKPOINT is a run folder or its model.safetensors; without one, the example is trained first.
    """
    use_threads()
    from .progress import announce_compilation

    announce_compilation()
    if not checkpoint:  # the example is trained
        compile_on_two_cores()
    model, x, y, labels = _saved(checkpoint, data) if checkpoint else _example(data, seed)
    if not 1 <= row <= len(x):
        raise click.UsageError(f"--row must lie in 1 to {len(x)}, the rows of the data, got {row}")
    report = {"command": "trace", "stages": _stages(model, x), "row": _row(model, x, y, labels, row)}
    if as_json:
        from .report import print_json

        print_json(report)
    else:
        _print(report)


def _saved(checkpoint, data):
    from .saved import open_saved

    saved = open_saved(checkpoint, data, require_target=False)
    return saved.model, saved.x, saved.dataset.y, saved.labels


def _example(data, seed):
    from minibn.train import Settings, prepare

    from .arm import run_arm

    if data:
        raise click.UsageError("--data needs a CHECKPOINT; without one the example is trained and traced")
    experiment = prepare(Settings(seed=seed))
    outcome = run_arm(experiment, None, label="training the example")
    return outcome.model, experiment.x_train, experiment.y_train, list(experiment.dataset.labels)


_WORDS = {
    "Dense": "linear map",
    "BatchNorm": "each feature of these rows to mean 0 and variance 1, then scaled by gamma and shifted by beta",
    "ReLU": "negative values become 0",
    "Sigmoid": "1 / (1 + exp(-x))",
    "Tanh": "hyperbolic tangent",
}


def _stages(model, x):
    """Return what every stage makes of all rows; a batch norm uses the statistics of these rows."""
    import copy

    outputs = [("input", x), *copy.deepcopy(model).trace(x, training=len(x) > 1)]
    stages = []
    for number, (name, values) in enumerate(outputs, 1):
        layer = name.split(".")[-1]
        what = "features as the network sees them" if layer == "input" else _WORDS[layer]
        what = "linear map to one logit per class" if number == len(outputs) else what
        stages.append({
            "stage": number, "layer": layer, "what": what, "shape": list(values.shape), "sample": values[:2].tolist(),
            "mean": values.mean(axis=0, dtype="float64").tolist(), "variance": values.var(axis=0, dtype="float64").tolist(),
        })  # fmt: skip
    return stages


def _row(model, x, y, labels, row):
    """Return one row's way through the network in evaluation mode, with running statistics."""
    one = x[row - 1 : row]
    layers = [
        {"layer": name, "values": values[0].tolist()} for name, values in [("input", one), *model.trace(one)]
    ]
    probabilities = model.predict_proba(one)[0]
    return {
        "row": row,
        "layers": layers,
        "probabilities": probabilities.tolist(),
        "prediction": labels[probabilities.argmax()],
        "label": None if y is None else labels[y[row - 1]],
    }


def _values(values, most=8):
    shown = values if len(values) <= most else values[:most]
    return "[" + ", ".join(f"{v:.3g}" for v in shown) + (", ...]" if len(values) > most else "]")


def _print(report):
    from .tables import heading

    for stage in report["stages"]:
        heading(f"stage {stage['stage']}: {stage['layer']}  {stage['shape'][0]} x {stage['shape'][1]}")
        click.echo(f"  {stage['what']}")
        for number, values in enumerate(stage["sample"], 1):
            click.echo(f"  {f'row {number}':<8}  {_values(values)}")
        if stage["layer"] == "BatchNorm":
            click.echo(f"  mean      {_values(stage['mean'])}")
            click.echo(f"  variance  {_values(stage['variance'])}")
    row = report["row"]
    heading(f"row {row['row']} through every layer, in evaluation mode (running statistics)")
    click.echo(f"  {'layer':<14} output")
    for layer in row["layers"]:
        click.echo(f"  {layer['layer']:<14} {_values(layer['values'], 10)}")
    click.echo(f"  {'softmax':<14} {_values(row['probabilities'], 10)}")
    known = "" if row["label"] is None else f", label {row['label']}"
    click.echo(f"  {'prediction':<14} {row['prediction']}{known}")
