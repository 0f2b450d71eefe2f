"""The threshold between two classes: searched after training, stored with the model, used later."""

import click

from .tables import counted, number, short


def search_and_store(experiment, model, folder):
    """Search the threshold that the settings ask for, on the validation part, and keep it beside the weights.

    Parameters
    ----------
    experiment : Experiment
    model : Sequential
        Trained.
    folder : Path
        Run folder; its model file gets the threshold.

    Returns
    -------
    dict
        JSON-able; with ``threshold`` None and a ``note`` where none reaches the goal.
    """
    from minibn.errors import ArgumentError
    from minibn.train import judge, save_model, search_threshold
    from minibn.train.checkpoint import MODEL_FILE

    rows = len(experiment.y_validation)
    about = {"goal": experiment.settings.threshold_for, "searched_on": "validation", "rows": rows}
    try:
        found = search_threshold(model, experiment)
    except ArgumentError as error:
        return about | {"threshold": None, "note": str(error)}
    about |= found.to_dict()
    save_model(folder / MODEL_FILE, model, experiment.description | {"threshold": about})
    labels, positive = experiment.dataset.labels, experiment.positive
    final = judge(model, experiment.x_validation, experiment.y_validation, labels, positive, found.threshold)
    return about | {"final": final}


def print_searched(about, positive):
    """Print what a search on the validation part came to."""
    if about["threshold"] is None:
        click.echo(f"Warning: {about['note']}; none is stored", err=True)
        return
    from .tables import confusion_table, heading

    heading(f"threshold for {about['goal']}, searched on the {counted(about['rows'], 'validation row')}")
    click.echo(f"class {short(positive)} where its probability is at least {about['threshold']:.6g}")
    for figure in ("precision", "recall", "f1"):
        click.echo(f"{_NAMES[figure]:<18} {number(about[figure])}")
    click.echo(f"{OPTIMISTIC};\nevaluate and predict use it (--threshold 0.5: the more probable class)")
    click.echo(confusion_table(about["final"]))


_NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
OPTIMISTIC = "it was chosen on these validation rows, so its figures there are optimistic"


def _read(context, parameter, value):
    """Return None, ``"stored"`` or a probability."""
    if value in (None, "stored"):
        return value
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise click.BadParameter(f"expected 'stored' or a probability from 0 to 1, got {value!r}")
    return number


threshold_option = click.option(
    "--threshold", metavar="stored|VALUE", callback=_read,
    help="Least probability of the positive class of two; stored: the one that --threshold-for found.  "
    "[default: stored where there is one, otherwise the most probable class]",
)  # fmt: skip


def chosen_threshold(saved, asked):
    """Return the threshold to use on a saved model, None for the most probable class.

    Parameters
    ----------
    saved : Saved
    asked : None, "stored" or float

    Returns
    -------
    dict or None
        JSON-able: ``threshold``, ``source`` (``"stored"`` or ``"given"``), ``goal``.

    Raises
    ------
    click.UsageError
        When a threshold is asked for that is not stored, or for more than two classes.
    """
    if asked is not None and saved.positive is None:
        raise click.UsageError(
            f"--threshold is for two classes, and this model knows {len(saved.labels)}; leave it out"
        )
    if asked == "stored" and saved.threshold is None:
        raise click.UsageError(
            "no threshold is stored with this model; train with --threshold-for recall=0.8, or give a number"
        )
    if isinstance(asked, float):
        return {"threshold": asked, "source": "given", "goal": None}
    stored = saved.threshold
    return stored and {"threshold": stored["threshold"], "source": "stored", "goal": stored["goal"]}


def threshold_line(saved, used):
    """Return one line that says which threshold is used."""
    line = f"class {short(saved.positive)} where its probability is at least {used['threshold']:.6g}"
    if used["source"] == "given":
        return line
    return f"{line}: stored for {used['goal']}, searched on the validation rows of the run"
