"""``python -m benchmarks doctor``."""

from pathlib import Path

import click

from benchmarks import suites


@click.command()
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Seeds of every fault, on every data set.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=4),
    default=200,
    show_default=True,
    help="Healthy runs over all data sets.",
)
@click.option("--tuning", is_flag=True, help="The seeds and data sets that thresholds are chosen on.")
@click.option(
    "--mammography",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="CSV file of the mammography data, in place of iris.",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="PAGE",
    help="Write the table between the marks of this page.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/benchmarks"),
    show_default=True,
    help="Folder for doctor.json.",
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes.")
@click.option("--check", is_flag=True, help="Exit with 1 when a goal is missed.")
def doctor(seeds, runs, tuning, mammography, into, out, workers, check):
    """Recall and false alarms of minibn doctor, on faults that are built into real trainings."""
    from benchmarks.doctor import measure, page

    found = measure.measure(seeds, runs, tuning, mammography, workers)
    suites.save(found, out / ("doctor-tuning.json" if tuning else "doctor.json"))
    click.echo(page.text(found))
    if into:
        page.refresh(into, found)
    if check and measure.missed(found):
        raise click.ClickException(f"goals missed: {', '.join(measure.missed(found))}")
