"""``minibn doctor``."""

from pathlib import Path

import click

from .options import (
    checkpoint_argument,
    folder_name,
    json_option,
    refuse_target_alone,
    report_option,
    use_threads,
)

SICK = 3
PLOT = "doctor"


@click.command()
@checkpoint_argument
@click.option("--data", metavar="NAME|PATH", help="Rows to judge.  [default: the validation rows of the run]")
@click.option("--target", metavar="COLUMN", help="Target column.  [default: as in training]")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    callback=folder_name,
    help="Folder for the plots.  [default: that of CHECKPOINT]",
)
@report_option
@json_option
@click.pass_context
def doctor(context, checkpoint, data, target, out, with_page, as_json):
    """Say what is wrong with a trained model, why, and what helps.

    CHECKPOINT is a run folder or its model.safetensors. Training rows, split, scaler and history come from the folder;
    what cannot be checked without them is listed. Exit code 3 where a fault is found. The model is not changed.
    """
    use_threads()
    refuse_target_alone(data, target)
    from .beside import judged_beside
    from .no_model import diverged, diverged_diagnosis
    from .patient import open_patient
    from .progress import announce_compilation

    announce_compilation()
    folder = _folder(checkpoint, out)
    run, beside = diverged(checkpoint), None
    if run:
        diagnosis, report = diverged_diagnosis(run, checkpoint)
    else:
        patient = open_patient(checkpoint, data, target)
        diagnosis = _examined(patient, checkpoint)
        beside = judged_beside(checkpoint, data, target)
        report = _report(diagnosis, patient, checkpoint, beside)
    files = _written(report, _unchecked(diagnosis), folder, with_page)
    if as_json:
        from .report import print_json

        print_json({"command": "doctor", "checkpoint": checkpoint, **diagnosis.to_dict(), "files": files}
                   | ({"beside": beside} if beside else {}))  # fmt: skip
    else:
        _print(diagnosis, report, files)
    if not diagnosis.healthy:
        context.exit(SICK)


def _examined(patient, checkpoint):
    """Return the diagnosis, with the checkpoint's own name in the remedies."""
    from dataclasses import replace

    from minibn.lab import doctor

    found = doctor(
        patient.model,
        patient.judged,
        train=patient.train,
        history=patient.history,
        failed=patient.failed,
        batch_size=patient.settings["batch_size"],
        class_weight=patient.settings["class_weight"],
        labels=patient.saved.labels,
        positive=patient.saved.positive,
        threshold=patient.saved.threshold and patient.saved.threshold["threshold"],
        shift=patient.shift,
    )
    named = {
        kind: tuple(
            replace(item, remedy=item.remedy.replace("CHECKPOINT", checkpoint))
            for item in getattr(found, kind)
        )
        for kind in ("faults", "notes")
    }
    return replace(found, **named)


def _folder(checkpoint, out):
    """Return where to draw: beside the model, or where no other run has pictures and a page of its own."""
    from .no_model import run_folder
    from .runs import held_files

    run = run_folder(checkpoint)
    folder = Path(out) if out else run
    others = {path.name for path in held_files(folder)} - {f"{PLOT}.png", f"{PLOT}.svg", "report.html"}
    if others and folder.resolve() != run.resolve():
        raise click.UsageError(f"{folder} holds another run; use another --out")
    return folder


def _written(report, unchecked, folder, with_page):
    """Draw the plots, write the page where asked, and return the files by role."""
    from dataclasses import replace

    from .charts import draw
    from .page import write_page

    folder.mkdir(parents=True, exist_ok=True)
    files = draw(report.charts, folder, PLOT, report.verdict) if report.charts else {}
    files |= (
        {"page": write_page(replace(report, tables=report.tables + unchecked), folder)} if with_page else {}
    )
    return {name: str(file) for name, file in files.items()}


def _report(diagnosis, patient, checkpoint, beside):
    """Return the report of a diagnosis, which says what was judged: model, rows, threshold."""
    from dataclasses import replace

    from .beside import beside_table
    from .threshold import chosen_threshold, threshold_line

    report, saved, figures = diagnosis.report, patient.saved, diagnosis.figures
    stored = chosen_threshold(saved, None)
    told = {"checkpoint": checkpoint, "data": f"{saved.dataset.name}: {saved.chosen.split(';')[0]}"}
    told["threshold"] = f"{threshold_line(saved, stored)}; {_USE}" if stored else None
    final = figures.at_threshold or figures.judged if beside else None
    tables = (*report.tables, beside_table(final, stored, beside)) if beside else report.tables
    title = f"doctor: {checkpoint} on {saved.dataset.name}"
    return replace(report, title=title, tables=tables, conditions=told | report.conditions)


_USE = "precision and recall of the classes are judged with it and without, all else without"


def _unchecked(diagnosis):
    """Return what was not checked, and why, as tables."""
    from minibn.lab import Table

    rows = tuple((item.name, item.why) for item in diagnosis.not_checked)
    return (Table("not checked", ("rule", "why"), rows),) if rows else ()


def _print(diagnosis, report, files):
    from .render import print_tables
    from .tables import heading, print_files

    click.secho(report.conditions["data"], bold=True)
    if report.conditions["threshold"]:
        click.echo(report.conditions["threshold"].replace("; ", ";\n"))
    print_tables(report.tables)
    for title, findings in (("fault", diagnosis.faults), ("note", diagnosis.notes)):
        for finding in findings:
            heading(f"{title}: {finding.name}")
            for name in ("figure", "cause", "remedy"):
                _paragraph(name, getattr(finding, name))
    if diagnosis.not_checked:
        heading("not checked")
        for item in diagnosis.not_checked:
            click.echo(f"{item.name}: {item.why}")
    heading(_verdict(diagnosis))
    if files:
        print_files(files)


def _paragraph(name, text):
    import textwrap

    click.echo(textwrap.fill(text, 100, initial_indent=f"{name:<8}", subsequent_indent=" " * 8))


def _verdict(diagnosis):
    from .tables import counted

    faults = "healthy" if diagnosis.healthy else counted(len(diagnosis.faults), "fault")
    notes = f" and {counted(len(diagnosis.notes), 'note')}" if diagnosis.notes else ""
    return f"{faults}{notes}; {counted(len(diagnosis.checked), 'rule')} checked"
