"""The same run with the other class weight, beside the one that was asked for."""

import click

_NAMES = {None: "plain", "balanced": "balanced"}
BESIDE_FOLDERS = tuple(_NAMES.values())
_MAJORITY = 0.8  # a largest class beyond this makes accuracy say little


def hint(experiment):
    """Return one line on class weights where a class is so large that accuracy hides the others, or None."""
    import numpy as np

    counts = np.bincount(experiment.y_train, minlength=len(experiment.dataset.labels))
    share = counts.max() / counts.sum()
    if experiment.settings.class_weight or share < _MAJORITY:
        return None
    threshold = ", --threshold-for recall=0.8 moves the threshold" if len(counts) == 2 else ""
    return (
        f"{100 * share:.4g} % of the training rows are of one class, so accuracy hides the rest:\n          "
        f"--class-weight balanced weighs classes alike, --compare-class-weight shows both{threshold}"
    )


class Beside:
    """A second run on the same rows, from the same initial weights, in the same order.

    Attributes
    ----------
    experiment : Experiment
        With classes weighed, or without where the first run weighs them.
    folder : Path
        Inside the first run's.
    names : tuple of str
        ``"plain"`` and ``"balanced"``, the first run's first.
    outcome : Outcome
    threshold : dict or None
        As :func:`search_and_store` returns it.
    """

    def __init__(self, experiment, folder, threads):
        from dataclasses import replace

        from .runs import write_manifest

        other = None if experiment.settings.class_weight else "balanced"
        self.experiment = replace(experiment, settings=replace(experiment.settings, class_weight=other))
        self.names = _NAMES[experiment.settings.class_weight], _NAMES[other]
        self.folder, self.threads = folder / self.names[1], threads
        self.folder.mkdir(exist_ok=True)
        write_manifest(self.folder, self.experiment, threads)
        self.outcome, self.threshold = None, None

    def train(self):
        """Train the second run and search its threshold."""
        from .arm import run_arm
        from .threshold import search_and_store

        self.outcome = run_arm(self.experiment, self.folder, label=f"training, {self.names[1]}")
        if self.experiment.settings.threshold_for and not self.outcome.failed:
            self.threshold = search_and_store(self.experiment, self.outcome.model, self.folder)

    def report(self):
        """Return the JSON object of the second run."""
        from .arm import checkpoint_files
        from .report import run_report

        files = {"folder": self.folder, **checkpoint_files(self.folder)}
        report = run_report("train", self.experiment, self.outcome, files, self.threads)
        return report | ({"threshold": self.threshold} if self.threshold else {})

    def print(self, outcome, threshold):
        """Print both runs side by side."""
        from .tables import counted, heading, table

        rows = counted(len(self.experiment.y_validation), "validation row")
        heading(f"class weights, on the {rows}: {self.names[0]} (this run) and {self.names[1]} beside it")
        columns = [_column(outcome, threshold), _column(self.outcome, self.threshold)]
        body = [
            [name, *(column.get(name, "diverged") for column in columns)] for name in max(columns, key=len)
        ]
        click.echo(table(["", *self.names], body))
        click.echo(
            "same rows, initial weights and order; one run of each, so small differences may be chance"
        )


_FIGURES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc", "average_precision")


def _column(outcome, threshold):
    """Return figures of one run by name."""
    from .tables import number

    final = outcome.final
    if final is None:
        return {}
    shown = {name.replace("_", " "): number(final[name]) for name in _FIGURES if final[name] is not None}
    if final["positive"] is not None:
        positive = final["labels"].index(final["positive"])
        matrix = final["confusion_matrix"]
        shown["positives missed"] = matrix[positive][1 - positive]
        shown["false alarms"] = matrix[1 - positive][positive]
    if threshold:
        for name in ("threshold", "precision", "recall"):
            shown[f"for {threshold['goal']}: {name}"] = number(threshold.get(name))
    return shown


def judged_beside(checkpoint, data, target, all_rows=False, threshold=None):
    """Judge the run with the other class weight that a run folder holds, on the same rows.

    Parameters
    ----------
    checkpoint : path
    data, target : str or None
    all_rows : bool
    threshold : None, "stored" or float
        As the user asked for.

    Returns
    -------
    dict or None
        JSON-able: ``name``, ``checkpoint``, ``threshold``, ``final``; None where there is no such run, or no labels.
    """
    from minibn.train import judge
    from minibn.train.checkpoint import MODEL_FILE

    from .no_model import run_folder
    from .saved import open_saved
    from .threshold import chosen_threshold

    run = run_folder(checkpoint)
    name = next((name for name in BESIDE_FOLDERS if (run / name / MODEL_FILE).exists()), None)
    saved = name and open_saved(run / name, data, target, all_rows, require_target=False)
    if not saved or saved.dataset.y is None:
        return None
    used = chosen_threshold(saved, threshold if threshold != "stored" or saved.threshold else None)
    y = saved.dataset.y[saved.rows]
    final = judge(saved.model, saved.x, y, saved.labels, saved.positive, used and used["threshold"])
    return {"name": name, "checkpoint": str(run / name), "threshold": used, "final": final}


def beside_table(final, used, other):
    """Return a Table of a run's figures and those of the run beside it.

    Parameters
    ----------
    final : dict
        Of :func:`minibn.train.judge`.
    used : dict or None
        Threshold of the first run, as :func:`chosen_threshold` returns it.
    other : dict
        From :func:`judged_beside`.
    """
    from minibn.lab import Table

    this = next(name for name in BESIDE_FOLDERS if name != other["name"])
    columns = [(final, used), (other["final"], other["threshold"])]
    rows = [(name.replace("_", " "), *(figures[name] for figures, _ in columns)) for name in _FIGURES]
    rows.append(("threshold", *(at and at["threshold"] for _, at in columns)))
    shown = tuple(row for row in rows if row[1:] != (None, None))
    return Table(
        "class weights on the same rows, each at its own threshold", ("", this, other["name"]), shown
    )
