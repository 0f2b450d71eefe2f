"""What a command of the lab leaves behind: pictures, a JSON file, and a report on the terminal."""

import click


def finish(command, report, folder, as_json, with_page, entries=None, **more):
    """Draw, store and print a Report.

    Parameters
    ----------
    command : str
        Also the name of the pictures.
    report : minibn.lab.Report
    folder : Path
    as_json : bool
        Print the stored object instead of tables.
    with_page : bool
        Write the report as a page of HTML too.
    entries : dict, optional
        The object that is stored and printed; :func:`report_object` where None.
    **more
        Further entries of that object; ``files`` are joined by those written here.
    """
    from .charts import draw
    from .render import print_report
    from .report import finite, print_json
    from .runs import METRICS, write_json
    from .tables import print_files

    files = {"folder": folder, **more.pop("files", {}), "metrics": folder / METRICS}
    if report.charts:
        files |= draw(report.charts, folder, command, report.title)
    if with_page:
        from .page import write_page

        files["page"] = write_page(report, folder)
    stored = finite((entries or report_object(command, report)) | more)
    stored["files"] = {role: str(path) for role, path in files.items()}
    write_json(folder / METRICS, stored)
    if as_json:
        print_json(stored)
        return
    print_report(report)
    print_files(files)


def report_object(command, report):
    """Return a Report as a dict, without what only repeats its numbers as text."""
    return {
        "command": command,
        "title": report.title,
        "question": report.question,
        "source": report.source,
        "verdict": report.verdict,
        "statements": list(report.statements),
        "conditions": report.conditions,
        **report.numbers,
    }


def seeds_options(count):
    """Return a decorator for ``--seeds`` and ``--seed``."""

    def decorate(function):
        first = click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first of the seeds."
        )
        number = click.option(
            "--seeds", type=click.IntRange(min=1), default=count, show_default=True, help="Runs of each arm, each with a seed of its own."
        )  # fmt: skip
        return number(first(function))

    return decorate
