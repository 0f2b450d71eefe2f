"""A report of the lab as text."""

import textwrap

import click

from .tables import heading, number, table


def print_report(report):
    """Print verdict, sentences and tables of a Report on stdout."""
    click.secho(report.title, bold=True)
    for line in textwrap.wrap(f"question  {report.question}", 100, subsequent_indent=" " * 10):
        click.echo(line)
    if report.source:
        click.echo(f"source    {report.source}")
    for name, value in report.conditions.items():
        click.echo(f"{name:<9} {value}")
    print_tables(report.tables)
    print_answer(report)


def print_tables(tables):
    """Print tables under their titles."""
    for shown in tables:
        heading(shown.title)
        click.echo(table(shown.head, [[cell(value) for value in row] for row in shown.rows]))


def print_answer(report):
    """Print the verdict of a Report and its sentences."""
    heading(f"verdict: {report.verdict}")
    for statement in report.statements:
        click.echo(textwrap.fill(statement, 100))


def cell(value):
    """Return an entry of a table as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return _figure(value)
    return str(value)


def _figure(value):
    """Return a float with four digits that mean something."""
    if value is None or value == 0 or 1e-3 <= abs(value) < 1e5:
        return number(value)
    return f"{value:.3g}"
