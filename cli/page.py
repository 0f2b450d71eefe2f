"""A report of the lab as one page of HTML that needs nothing else: no script, no other file, no network."""

import json
import re
from html import escape
from importlib.metadata import version

from .charts import colour_limits, heading, printable
from .render import cell

PAGE = "report.html"
_TONES = {
    "good": ("yes", "helps", "holds", "healthy", "good"),
    "bad": ("no", "hurts", "fails", "not healthy", "not good", "fault", "faults"),
    "unsure": ("cannot tell", "in part", "unclear"),
}
_KEEPS_TO_ITSELF = "default-src 'none'; style-src 'unsafe-inline'"
_NO_FIGURES = ("", "-", "nan", "inf", "-inf", "diverged")
_LONG = 32  # characters of a text that may wrap
_FIGURE = re.compile(r"[-+−]?\d([^A-Za-z]|e[-+]?\d| to )*")
_WIDE = 560  # units of a chart that takes a whole row


def page(report):
    """Return a report as a page of HTML.

    Parameters
    ----------
    report : minibn.lab.Report

    Returns
    -------
    str
        The same for the same report and the same versions of what made it. No time, no folder and no machine is named
        but those that the report names itself.
    """
    from .style import style_sheet

    parts = (_header(report), _answer(report), _charts(report.charts), _tables(report.tables), _conditions(report),
             _numbers(report.numbers))  # fmt: skip
    body = "\n".join(filter(None, parts))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_KEEPS_TO_ITSELF}">
<title>{_text(report.title)}: {_text(report.verdict)}</title>
<style>
{style_sheet()}</style>
</head>
<body>
<main>
{body}
</main>
<footer><p>Made with {_versions()}.</p></footer>
</body>
</html>
"""


def write_page(report, folder):
    """Write a report as ``report.html`` into a folder and return its path."""
    from minibn.train.files import write_atomically

    path = folder / PAGE
    write_atomically(path, page(report).encode())
    return path


def _text(value):
    """Return a value as text that HTML shows as it stands."""
    return escape(printable(value, besides="\n\t"))


def _versions():
    return _text(", ".join(f"{name} {version(name)}" for name in ("minibn", "numpy", "numba")))


def _header(report):
    return (
        f'<header>\n<p class="kind">minibn {_text(report.name)}</p>\n<h1>{_text(report.title)}</h1>\n'
        f'<p class="question">{_text(report.question)}</p>\n</header>'
    )


def _answer(report):
    """Return the verdict in words, coloured by what it says, and its sentences."""
    sentences = "".join(f"\n<p>{_text(statement)}</p>" for statement in report.statements)
    badges = " ".join(map(_badge, report.verdict.split("; ")))
    return f'<section class="answer">\n<h2>Verdict {badges}</h2>{sentences}\n</section>'


def _badge(verdict):
    """Return one verdict, coloured by its words: neither a number, as in ``2 faults``, nor a name before it matters."""
    said = verdict.rpartition(": ")[2].lower().lstrip("0123456789 ").removesuffix(" in places")
    tone = next((tone for tone, words in _TONES.items() if said in words), "even")
    return f'<strong class="verdict {tone}">{_text(verdict)}</strong>'


def _section(title, body):
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>" if body else ""


def _charts(charts):
    limits = colour_limits(charts)
    figures = "\n".join(_figure(chart, f"chart{k}", limits) for k, chart in enumerate(charts, 1))
    return _section(
        "Charts" if len(charts) > 1 else "Chart", figures and f'<div class="charts">\n{figures}\n</div>'
    )


def _figure(chart, prefix, limits):
    from .inline import inline_svg

    svg = inline_svg(chart, _described(chart), prefix, limits)
    wide = ' class="wide"' if float(re.search(r'width="([\d.]+)"', svg)[1]) > _WIDE else ""
    grey = any(map(any, getattr(chart, "greyed", ()))) and "grey" not in chart.title
    note = "<small>Grey cells are within chance.</small>" if grey else ""
    values = _heat_table(chart) if hasattr(chart, "values") else ""
    return (
        f"<figure{wide}>\n<figcaption>{_text(heading(chart))}{note}</figcaption>\n"
        f"{_scrolled(svg, 'Chart: ' + chart.title)}\n{values}</figure>"
    )


def _described(chart):
    """Return what a chart shows, in words."""
    axes = " against ".join(filter(None, (chart.y_label, chart.x_label)))
    if hasattr(chart, "values"):
        return f"Heat map: {chart.title}. {axes}; the values stand in the table below."
    return " ".join([f"Line chart: {chart.title}. {axes}.", *filter(None, map(_course, chart.series))])


def _course(series):
    """Return where a line begins and ends."""
    points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if y is not None and y == y]
    if not points:
        return f"{series.label}: no values." if series.label else ""
    (first, start), (last, end) = points[0], points[-1]
    return f"{series.label or 'Line'}: from {start:.4g} at {first:.4g} to {end:.4g} at {last:.4g}."


def _heat_table(chart):
    from minibn.lab import Table

    marked = [[_heat_cell(chart, i, j) for j in range(len(chart.x))] for i in range(len(chart.y))]
    rows = tuple((_said(label), *row) for label, row in zip(chart.y, marked, strict=True))
    corner = " \\ ".join(filter(None, (chart.y_label, chart.x_label)))
    shown = Table(f"{chart.title}: values", (corner, *map(_said, chart.x)), rows)
    return f"<details><summary>Values</summary>\n{_table(shown)}\n</details>\n"


def _heat_cell(chart, i, j):
    value = chart.values[i][j]
    return f"({cell(value)})" if chart.greyed and chart.greyed[i][j] else value


def _tables(tables):
    return _section("Tables" if len(tables) > 1 else "Table", "\n".join(map(_table, tables)))


def _scrolled(body, label):
    """Return something wide in a frame of its own, which keys can scroll too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(label)}">{body}</div>'


def _table(table):
    kinds = [_kind([row[k] for row in table.rows]) for k in range(len(table.head))]
    head = "".join(_head_cell(text, kind) for text, kind in zip(table.head, kinds, strict=True))
    rows = "\n".join(_row(row, kinds) for row in table.rows)
    body = (
        f"<table>\n<caption><span>{_text(table.title)}</span></caption>\n<thead>\n<tr>{head}</tr>\n</thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )
    return f'<div class="table">{_scrolled(body, table.title)}</div>'


def _kind(column):
    """Return the class of a column: figures line up at the right, sentences wrap, words stand on one line."""
    shown = [cell(value) for value in column if value is not None]
    if shown and all(_is_figure(value) for value in shown):
        return ' class="number"'
    return ' class="long"' if max(map(len, shown), default=0) > _LONG else ""


def _is_figure(text):
    """Say whether a text is a figure, alone or with an interval or a count."""
    return bool(_FIGURE.fullmatch(text.strip("()[] "))) or text in _NO_FIGURES


def _head_cell(text, kind):
    return f'<th scope="col"{kind}>{_text(cell(text))}</th>' if text != "" else f"<td{kind}></td>"


def _row(row, kinds):
    first, *rest = (_text(cell(value)) for value in row)
    cells = "".join(f"<td{kind}>{text}</td>" for kind, text in zip(kinds[1:], rest, strict=True))
    return f'<tr><th scope="row"{kinds[0]}>{first}</th>{cells}</tr>'


def _conditions(report):
    entries = dict(report.conditions) | ({"source": report.source} if report.source else {})
    lines = "\n".join(
        f"<dt>{_text(_words(name))}</dt><dd>{_text(_said(value))}</dd>" for name, value in entries.items()
    )
    return _section("Conditions", lines and f"<dl>\n{lines}\n</dl>")


def _words(name):
    return str(name).replace("_", " ")


def _said(value):
    """Return a setting in words."""
    if isinstance(value, dict):
        return ", ".join(f"{_words(name)} {_said(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _numbers(numbers):
    from .report import finite

    if not numbers:
        return ""
    text = json.dumps(finite(numbers), indent=2, allow_nan=False, ensure_ascii=False)
    return f'<details class="numbers">\n<summary><h2>Numbers as JSON</h2></summary>\n<pre tabindex="0">{_text(text)}</pre>\n</details>'
