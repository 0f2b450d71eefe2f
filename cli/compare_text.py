"""A comparison as text, with the figures that teaching documents print beside it where they belong."""

from dataclasses import replace

import click

from . import documents
from .chart import loss_chart
from .render import print_answer, print_tables
from .tables import confusion_table, failure_line, heading, number


def print_comparison(experiment, comparison, report):
    """Print losses, chart, metrics and verdict; of a single pair also its confusion matrices.

    Parameters
    ----------
    experiment : Experiment
        Of the first seed.
    comparison : Comparison
    report : Report
    """
    losses, metrics, *others = report.tables
    first, single = comparison.pairs[0].outcomes, len(comparison.pairs) == 1
    if known := documents.belong_to(experiment.settings, epochs=10):
        losses = _beside(losses, documents.COMPARED_LOSS, 1)
        metrics = _beside(metrics, {"accuracy": documents.COMPARED_ACCURACY}, 2)
    if comparison.epochs:
        print_tables([losses])
    if known:
        click.echo(documents.COMPARED_NOTE)
    for arm, outcome in first.items() if single else ():
        if outcome.failed:
            click.echo(f"{arm}: {failure_line(outcome.failed)}")
    _print_chart(report.charts[0])
    print_tables([metrics, *others])
    for arm, outcome in first.items() if single else ():
        if outcome.final:
            heading(f"confusion matrix {arm} (rows true, columns predicted)")
            click.echo(confusion_table(outcome.final))
    print_answer(report)


def _beside(table, figures, digits):
    """Return a table with the documents' figures in two more columns."""
    head = (*table.head, "documents: with", "without")
    rows = ((*row, *(number(v, digits) for v in figures.get(row[0], (None, None)))) for row in table.rows)
    return replace(table, head=head, rows=tuple(rows))


def _print_chart(chart):
    training = [series for series in chart.series if series.label.startswith("training")]
    if drawn := loss_chart(dict(zip("o*", (s.y for s in reversed(training)), strict=True))):
        heading("training loss: * with batch norm, o without")
        click.echo(drawn)
