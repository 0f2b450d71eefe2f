"""What a training run leaves in its folder, drawn and named."""

from . import documents
from .arm import checkpoint_files
from .plots import plot_epochs
from .runs import MANIFEST, METRICS


def arm_name(experiment):
    """Return the arm of an experiment in words."""
    return "with batch norm" if experiment.settings.bn else "without batch norm"


def write_plots(experiment, outcome, threshold, folder, beside=None):
    """Draw a run's plots and return every file of the run by role.

    Parameters
    ----------
    experiment : Experiment
    outcome : Outcome
    threshold : dict or None
        What :func:`minibn_cli.threshold.search_and_store` returned.
    folder : Path
    beside : Beside, optional

    Returns
    -------
    dict of str to Path
    """
    files = {"folder": folder, **checkpoint_files(folder)}
    files |= {"manifest": folder / MANIFEST, "metrics": folder / METRICS}
    title = f"{experiment.dataset.name}, {arm_name(experiment)}"
    files |= plot_epochs(outcome.records, folder, title, documents.belong_to(experiment.settings))
    runs = {arm_name(experiment): (outcome, threshold)}
    if beside:
        both = (outcome, threshold), (beside.outcome, beside.threshold)
        runs = dict(zip(beside.names, both, strict=True))
    files |= _precision_recall(experiment, runs, folder)
    return files | ({beside.names[1]: beside.folder} if beside else {})


def _precision_recall(experiment, runs, folder):
    """Draw the curves of the runs that have one."""
    from .ranking import plot_curves

    ranked = {
        name: outcome.model
        for name, (outcome, _) in runs.items()
        if outcome.final and outcome.final["average_precision"] is not None
    }
    if not ranked:
        return {}
    files = {f"curve_{kind}": folder / f"precision-recall.{kind}" for kind in ("png", "svg")}
    e, title = experiment, f"{experiment.dataset.name}, {len(experiment.y_validation)} validation rows"
    points = {
        f"{name}, threshold {t['threshold']:.3g} for {t['goal']}": (t["precision"], t["recall"])
        for name, (_, t) in runs.items()
        if t and t["threshold"] is not None
    }
    arms = {arm_name(experiment): arm_name(experiment)}
    plot_curves(
        ranked, e.x_validation, e.y_validation, e.dataset.labels, e.positive, list(files.values()), title, points, arms
    )  # fmt: skip
    return files
