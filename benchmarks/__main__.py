"""The command line of the benchmarks. A new suite is a module with ``run``, added to ``benchmarks.suites``."""

import os
import sys
from pathlib import Path

import click

from benchmarks import suites
from benchmarks.against import MODULES
from benchmarks.cuda.command import cuda
from benchmarks.doctor.command import doctor
from benchmarks.settings import installed, parse_peers, parse_threads
from minibn.cores import usable_cores

FOLDER = Path("runs/benchmarks")
DEFAULT_THREADS = "1,2" if usable_cores() > 1 else "1"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main():
    """Time minibn against its peers, side by side in one run."""


def _parsed(parse):
    """Return a callback that turns a ValueError into click's own."""

    def callback(context, parameter, text):
        try:
            return parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None

    return callback


_OPTIONS = (
    click.option("--peer", "peers", default=",".join(MODULES), show_default=True, callback=_parsed(parse_peers),
                 metavar="LIST", help="Peers to measure against; one that is not installed is skipped."),
    click.option("--threads", default=DEFAULT_THREADS, show_default=True, callback=_parsed(parse_threads), metavar="LIST",
                 help="Numbers of threads, each measured in a process of its own."),
    click.option("--quick", is_flag=True, help="Two shapes per kernel, smaller data and few rounds."),
    click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default=True,
                 help="Folder for SUITE.json and the plots."),
    click.option("--check", is_flag=True, help="Exit with 1 when a goal is missed."),
)  # fmt: skip


def _run(names, peers, threads, quick, out, check):
    from benchmarks import figures, report

    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        raise click.ClickException("NUMBA_DISABLE_JIT is set: there is nothing to time; unset it")
    peers, missing = installed(peers)
    if missing:
        click.echo(f"not installed, skipped: {', '.join(missing)}", err=True)
    reports = []
    for name in names:
        found = suites.run(name, peers, missing, threads, quick)
        suites.save(found, out / f"{name}.json")
        figures.draw(name, found, out)
        click.echo(report.table(name, found))
        reports.append(found)
    if check and suites.missed(reports):
        raise click.ClickException(f"goals missed: {'; '.join(suites.missed(reports))}")


def _command(name, names, text):
    """Add a command that runs some suites."""

    def run(**options):
        try:
            _run(names, **options)
        except suites.SuiteError as error:
            raise click.ClickException(str(error)) from None

    for option in reversed(_OPTIONS):
        run = option(run)
    main.command(name, help=text)(run)


for _name, _text in suites.SUITES.items():
    _command(_name, (_name,), _text)
_command("all", tuple(suites.SUITES), "All suites, one after the other.")


@main.command("table")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=FOLDER)
@click.option("--into", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="PAGE",
              help="Write the tables between the marks of this page, and the plots to img/ beside it.")  # fmt: skip
def table(folder, into):
    """Print the tables of a run's FOLDER as Markdown."""
    from benchmarks import figures, page

    reports = page.load(folder)
    if not reports:
        raise click.UsageError(
            f"no {', '.join(f'{name}.json' for name in suites.SUITES)} in {folder}; run a suite first"
        )
    if into is None:
        click.echo(page.text(reports))
        return
    page.refresh(into, reports)
    for name, found in reports.items():
        figures.draw(name, found, into.parent / "img")


@main.command("claims")
@click.option(
    "--files",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder that holds mammography.csv; claims about rare classes are left out without it.",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep what the commands print, and do not ask again what is there.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="PAGE",
    help="Write the table between the marks of this page.",
)
def claims_table(files, keep, into):
    """Ask the software what teaching texts claim of batch norm: one real run per claim."""
    from benchmarks.claims import run

    text = run.table(files, keep)
    click.echo(text) if into is None else run.write(into, text)


main.add_command(doctor)
main.add_command(cuda)


def _exit_code():
    """Run the command line; errors are one line on stderr."""
    try:
        return main(prog_name="python -m benchmarks", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Error: interrupted", err=True)
        return 130


if __name__ == "__main__":
    sys.exit(_exit_code())
