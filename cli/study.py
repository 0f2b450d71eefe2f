"""``minibn study``."""

import textwrap

import click

from .options import folder_options, report_option, threads_option, use_threads

LIST = "list"
_WIDTH = 100


@click.command()
@click.argument("name")
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="example, example-hard, wine, digits, iris, breast-cancer, or a .csv, .npz or .parquet file.  [default: digits]",
)
@click.option(
    "--target", metavar="COLUMN", help="Target column of a CSV or Parquet file.  [default: the last]"
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Runs, each with a seed of its own.  [default: the study's own number]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first of the seeds."
)
@click.option("--quick", is_flag=True, help="Fewer seeds and steps: to see it work, not to conclude from.")
@report_option
@threads_option
@folder_options("runs/study-<name>-<time>")
@click.pass_context
def study(context, name, data, target, seeds, seed, quick, with_page, threads, out, overwrite, as_json):
    """Repeat an experiment of the literature on given data, and say what came out.

    NAME is a study, or "list" for a list of them. Whatever the answer is, the exit code is 0.
    """  # fmt: skip
    threads = use_threads(threads)
    if name == LIST:
        _say_unused(context)
        _list(as_json)
        return
    from minibn.lab.studies import Setup, find

    found, given = find(name), {"data": data} if data else {}
    setup = Setup(**given, target=target, first_seed=seed, count=seeds, quick=quick, progress=_say)
    _check(found, setup, data)
    _run(found, setup, threads, out, overwrite, as_json, with_page)


def _say_unused(context):
    """Say on stderr which of the options given do not count for a list."""
    given = click.core.ParameterSource.COMMANDLINE
    names = [
        option.opts[0]
        for option in context.command.params
        if option.name not in ("name", "as_json") and context.get_parameter_source(option.name) == given
    ]
    if names:
        click.echo(f"Warning: not used by a list of studies: {', '.join(names)}", err=True)


def _say(line):
    click.echo(line, err=True)


def _check(found, setup, data):
    """Read the data once before a folder is made, so that unusable ones leave none behind."""
    if found.needs_data:
        from minibn.train import Settings, prepare

        prepare(Settings(data=setup.data, target=setup.target, seed=setup.first_seed))
    elif data or setup.target:
        click.echo(f"Warning: --data is not used: {found.name} is theory and needs none", err=True)


def _run(found, setup, threads, out, overwrite, as_json, with_page):
    import time

    from .lab_report import finish
    from .progress import announce_compilation
    from .runs import open_folder

    announce_compilation()
    folder = open_folder(out, overwrite, f"study-{found.name}")
    begun = time.perf_counter()
    report = found.answer(setup)
    seconds = round(time.perf_counter() - begun, 1)
    finish(
        "study", report, folder, as_json, with_page, _entries(report, setup), threads=threads, seconds=seconds
    )


def _entries(report, setup):
    """Return what is stored of a report: all but its charts, and how it came about."""
    from .runs import versions

    tables = [
        {"title": t.title, "head": list(t.head), "rows": [list(r) for r in t.rows]} for t in report.tables
    ]
    return {
        "command": "study",
        "study": report.name,
        "title": report.title,
        "question": report.question,
        "source": report.source,
        "verdict": report.verdict,
        "statements": list(report.statements),
        "numbers": report.numbers,
        "tables": tables,
        "conditions": report.conditions,
        "options": {
            "data": setup.data, "target": setup.target, "seed": setup.first_seed, "seeds": setup.count, "quick": setup.quick
        },
        "versions": versions(),
    }  # fmt: skip


def _list(as_json):
    from minibn.lab.studies import STUDIES

    studies = [STUDIES[name] for name in sorted(STUDIES)]
    if as_json:
        from .report import print_json

        print_json({"command": "study", "studies": [_entry(one) for one in studies]})
        return
    for one in studies:
        _print_entry(one)


def _entry(one):
    names = ("name", "question", "source", "statement", "seconds", "needs_data")
    return {name: getattr(one, name) for name in names}


def _print_entry(one):
    theory = "" if one.needs_data else ", needs no data"
    click.echo(f"{click.style(one.name, bold=True)}  (about {one.seconds:g} s{theory})")
    for label, text in (("tests", one.question), ("source", one.source), ("speaks to", one.statement)):
        click.echo(textwrap.fill(f"  {label:<9}  {text}", _WIDTH, subsequent_indent=" " * 13))
