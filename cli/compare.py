"""``minibn compare``."""

import click

from .options import run_options, say_unused, settings_from, settings_options, use_threads

_ARMS = {"with batch norm": True, "without batch norm": False}
_KEYS = {"with batch norm": "with_bn", "without batch norm": "without_bn"}
_EPOCHS = (1, 5, 10)


@click.command()
@settings_options
@run_options
def compare(out, overwrite, as_json, threads, **options):
    """Train with and without batch norm and show both side by side.

    Both arms share data, split, initial weights and batch order. An arm that diverges is a result: it is shown
    as such.
    """
    threads = use_threads(threads)
    from minibn.train import prepare

    from .progress import announce_compilation
    from .runs import METRICS, open_folder, write_json, write_manifest

    announce_compilation()
    experiment = prepare(settings_from(options, epochs=_EPOCHS[-1]))
    say_unused(options, experiment)
    name, seed = experiment.dataset.name, experiment.settings.seed
    folder = open_folder(out, overwrite, f"{name}-compare-{seed}")
    manifest = write_manifest(folder, experiment, threads, "compare")
    if not as_json:
        from .tables import describe

        describe(experiment, "with and without batch norm", threads)
    arms = {arm: _arm(experiment, folder, arm) for arm in _ARMS}
    if not as_json:
        _print(experiment, arms)
    from .plots import plot_compare

    plots = plot_compare(arms, folder, f"{name}, with and without batch norm")
    report = _report(experiment, arms, folder, threads)
    report["files"] = {"folder": str(folder), "manifest": str(manifest), "metrics": str(folder / METRICS)}
    report["files"] |= {role: str(path) for role, path in plots.items()}
    write_json(folder / METRICS, report)
    _finish(report, as_json)


def _subfolder(folder, arm):
    return folder / _KEYS[arm].replace("_", "-")


def _arm(experiment, folder, arm):
    from minibn.train import with_arm

    from .arm import run_arm

    return run_arm(with_arm(experiment, _ARMS[arm]), _subfolder(folder, arm), label=arm)


def _report(experiment, arms, folder, threads):
    from minibn.train import with_arm

    from .arm import checkpoint_files
    from .report import run_report

    report = {"command": "compare", "config": None}
    for arm, outcome in arms.items():
        files = {"folder": _subfolder(folder, arm), **checkpoint_files(_subfolder(folder, arm))}
        report[_KEYS[arm]] = run_report("train", with_arm(experiment, _ARMS[arm]), outcome, files, threads)
    shared = dict(report["with_bn"]["config"])
    del shared["bn"]
    report["config"] = shared
    return report


def _finish(report, as_json):
    from .report import print_json
    from .tables import print_files

    if as_json:
        print_json(report)
    else:
        print_files(report["files"])


def _print(experiment, arms):
    from . import documents
    from .chart import loss_chart
    from .tables import confusion_table, counted, failure_line, heading

    known = documents.belong_to(experiment.settings, epochs=_EPOCHS[-1])
    if any(outcome.records for outcome in arms.values()):
        heading("training loss (running mean)")
        click.echo(_loss_table(arms, known))
    if known:
        click.echo(documents.COMPARED_NOTE)
    for arm, outcome in arms.items():
        if outcome.failed:
            click.echo(f"{arm}: {failure_line(outcome.failed)}")
    markers = dict(zip("o*", reversed(arms.values()), strict=True))
    chart = loss_chart({m: [r.train_loss for r in outcome.records] for m, outcome in markers.items()})
    if chart:
        heading("training loss: * with batch norm, o without")
        click.echo(chart)
    heading(f"{counted(len(experiment.y_validation), 'validation row')}, in evaluation mode")
    click.echo(_metric_table(experiment, arms, known))
    for arm, outcome in arms.items():
        if outcome.final:
            heading(f"confusion matrix {arm} (rows true, columns predicted)")
            click.echo(confusion_table(outcome.final))


def _loss_table(arms, with_documents):
    from . import documents
    from .tables import number, table

    total = max(len(outcome.records) for outcome in arms.values())
    rows = []
    for epoch in sorted({*(e for e in _EPOCHS if e <= total), *([total] if total else [])}):
        row = [epoch, *(_loss_at(outcome, epoch) for outcome in arms.values())]
        if with_documents:
            row += [number(loss, 1) for loss in documents.COMPARED_LOSS.get(epoch, (None, None))]
        rows.append(row)
    head = ["epoch", *arms] + (["documents: with", "without"] if with_documents else [])
    return table(head, rows)


def _loss_at(outcome, epoch):
    from .tables import number

    if epoch <= len(outcome.records):
        return number(outcome.records[epoch - 1].train_loss)
    return "diverged" if outcome.failed else "-"


_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")


def _metric_table(experiment, arms, with_documents):
    from . import documents
    from .tables import number, table

    baseline = number(experiment.majority_baseline)
    rows = [["majority baseline", *[baseline] * len(arms)]]
    for metric in _METRICS:
        values = [number(outcome.final[metric]) if outcome.final else "diverged" for outcome in arms.values()]
        rows.append([metric.replace("_", " "), *values])
    if with_documents:
        shown = {"accuracy": documents.COMPARED_ACCURACY}
        rows = [[*row, *(number(v, 2) for v in shown.get(row[0], (None, None)))] for row in rows]
    return table(["", *arms, *(["documents: with", "without"] if with_documents else [])], rows)
