"""Charts of the lab drawn with matplotlib, which is imported only when one is drawn."""

import math
import textwrap
from numbers import Integral

from .palette import ARMS, LIGHT, OTHERS, blend, contrast
from .tables import short

_STYLES = {"line": "-", "dashed": "--", "dotted": ":", "points": ""}
_LOOKS = {
    "axes.edgecolor": LIGHT["mark"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": LIGHT["grid"],
    "legend.labelcolor": LIGHT["ink"],
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["mark"],
    "xtick.labelcolor": LIGHT["muted"],
    "xtick.labelsize": 9,
    "ytick.color": LIGHT["mark"],
    "ytick.labelcolor": LIGHT["muted"],
    "ytick.labelsize": 9,
}
_CELL = 0.62  # inches of a heat map's cell
_PALEST = 0.15  # share of its colour that the cell nearest to 0 has
_LINE = 72  # characters of a line of a title
_LABEL = 48  # characters of a legend's label; the page tells it whole
_BELOW = 0.5  # inches from the axes to their legend: room for the label of the axis


def draw(charts, folder, name, title=None):
    """Draw charts beside and below each other into one picture, as PNG and SVG.

    Parameters
    ----------
    charts : sequence of Lines or HeatMap
    folder : Path
    name : str
        Of the files, without ending.
    title : str, optional

    Returns
    -------
    dict of str to Path
        ``plot_png`` and ``plot_svg``.
    """
    figure = figure_of(charts, title)
    files = {f"plot_{kind}": folder / f"{name}.{kind}" for kind in ("png", "svg")}
    for path in files.values():
        save(figure, path, path.suffix[1:])
    return files


def figure_of(charts, title=None, limits=None):
    """Return a matplotlib figure that holds all charts; ``limits`` as of :func:`colour_limits`."""
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(2, len(charts))
    rows = math.ceil(len(charts) / columns)
    sizes, limits = [_size(chart) for chart in charts], limits or colour_limits(charts)
    width = columns * max(w for w, _ in sizes)
    height = rows * max(h for _, h in sizes) + bool(title) * 0.3
    with matplotlib.rc_context(_LOOKS):
        figure = Figure(figsize=(width, height), layout="constrained")
        if title:
            figure.suptitle(plain(title), fontsize=12)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, chart in zip(axes, charts, strict=False):
            paint(axis, chart, limits)
        for axis in axes[len(charts) :]:
            axis.set_axis_off()
    return figure


def save(figure, target, kind, **options):
    """Write a figure to a path or a binary file; the same figure gives the same bytes."""
    import matplotlib

    metadata = {"Date": None} if kind == "svg" else None
    with matplotlib.rc_context(_LOOKS | {"svg.hashsalt": "minibn"}):
        figure.savefig(target, format=kind, dpi=150, **{"metadata": metadata, **options})


def printable(text, besides=""):
    """Return a text with a sign for each character that cannot be shown: control characters, halves of others."""
    return "".join(c if c.isprintable() or c in besides else "\ufffd" for c in str(text))


def plain(text):
    """Return a text that matplotlib shows as it stands: a dollar sign begins no mathematics."""
    return printable(text).replace("$", r"\$")


def heading(chart):
    """Return a chart's title, for a heat map with the unit of its cells."""
    unit = getattr(chart, "unit", "")
    return f"{chart.title} ({unit})" if unit and unit not in chart.title else chart.title


def _size(chart):
    """Return width and height in inches."""
    if hasattr(chart, "values"):
        return max(5.4, 1.6 + _CELL * len(chart.x)), max(2.4, 1.3 + 0.75 * _CELL * len(chart.y))
    return 5.4, 3.7 + 0.2 * _legend_rows(chart)


def paint(axis, chart, limits):
    """Draw one chart on one axis."""
    axis.set_title(textwrap.fill(plain(heading(chart)), _LINE), fontsize=9)
    axis.set_xlabel(plain(chart.x_label))
    axis.set_ylabel(plain(chart.y_label))
    if hasattr(chart, "values"):
        _paint_heat_map(axis, chart, limits[chart.unit])
    else:
        _paint_lines(axis, chart)


def _gaps(values):
    """Return numbers with NaN where there is none to draw."""
    return [math.nan if v is None or not math.isfinite(v) else v for v in values]


def _paint_lines(axis, chart):
    axis.set_xscale("log" if chart.log_x else "linear")
    axis.set_yscale("log" if chart.log_y else "linear")
    lines = [
        _paint_series(axis, series, color)
        for series, color in zip(chart.series, _colors(chart.series), strict=True)
    ]
    for label, height in chart.marks:
        _paint_mark(axis, label, height)
    for scale, side in ((chart.log_x, axis.xaxis), (chart.log_y, axis.yaxis)):
        if scale:
            _write_powers_plainly(side)
    if not chart.log_x and all(isinstance(x, Integral) for series in chart.series for x in series.x):
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axis.grid()
    axis.set_axisbelow(True)
    _paint_legend(axis, chart, lines)


def _paint_series(axis, series, color):
    marker = "o" if series.style == "points" or len(series.x) <= 20 else None
    style = {"linestyle": _STYLES[series.style] or "none", "marker": marker, "markersize": 3.5}
    if series.low is not None:
        low, high = _gaps(series.low), _gaps(series.high)
        axis.fill_between(series.x, low, high, color=color, alpha=0.18, linewidth=0)
    return axis.plot(_gaps(series.x), _gaps(series.y), color=color, linewidth=1.6, **style)[0]


def _paint_mark(axis, label, height):
    axis.axhline(height, color=LIGHT["mark"], linestyle=":", linewidth=1)
    where = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
    axis.annotate(plain(label), (0.99, height), fontsize=8, color=LIGHT["muted"], **where)


def _write_powers_plainly(side):
    """Label a logarithmic axis 0.001, 0.01, ...; with digits in between where it spans less than two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = side.get_view_interval()
    digits = (1.0,) if low <= 0 or high / low >= 100 else (1.0, 2.0, 5.0)
    side.set_major_locator(LogLocator(subs=digits))
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    side.set_minor_formatter(NullFormatter())


def _legend_rows(chart):
    named = [series for series in chart.series if series.label]
    return math.ceil(len(named) / _legend_columns(chart))


def _legend_columns(chart):
    return 2 if max((len(str(series.label)) for series in chart.series), default=0) <= 24 else 1


def _paint_legend(axis, chart, lines):
    """Draw the legend below the axes, where it hides nothing."""
    from matplotlib.transforms import ScaledTranslation

    named = [
        (line, plain(short(s.label, _LABEL))) for line, s in zip(lines, chart.series, strict=True) if s.label
    ]
    if not named:
        return
    place = axis.transAxes + ScaledTranslation(0, -_BELOW, axis.figure.dpi_scale_trans)
    columns = min(len(named), _legend_columns(chart))
    looks = {"fontsize": 9, "frameon": False, "loc": "upper center", "borderpad": 0, "ncols": columns}
    legend = axis.legend(*zip(*named, strict=True), bbox_to_anchor=(0.5, 0), bbox_transform=place, **looks)
    for text, (_, label) in zip(legend.get_texts(), named, strict=True):
        text.set_text(label)


def _colors(series):
    """Return a colour for each series: an arm's own, otherwise the next of the others."""
    others = iter(OTHERS * (1 + len(series) // len(OTHERS)))
    return [ARMS[s.arm] if s.arm else next(others) for s in series]


def colour_limits(charts):
    """Return the size of value that has the full colour, by unit: heat maps of one unit are read side by side."""
    limits = {}
    for chart in charts:
        if hasattr(chart, "values"):
            sizes = (abs(v) for v, grey in _cells(chart) if math.isfinite(v) and not grey)
            limits[chart.unit] = max(limits.get(chart.unit, 0), *sizes, 0)
    return limits


def _cells(chart):
    """Yield each value of a heat map and whether it is greyed, row by row."""
    for i, row in enumerate(chart.values):
        for j, value in enumerate(_gaps(row)):
            yield value, bool(chart.greyed) and chart.greyed[i][j]


def _paint_heat_map(axis, chart, limit):
    axis.set_xticks(range(len(chart.x)), [_label(v) for v in chart.x])
    axis.set_yticks(range(len(chart.y)), [_label(v) for v in chart.y])
    axis.set_xlim(-0.5, len(chart.x) - 0.5)
    axis.set_ylim(len(chart.y) - 0.5, -0.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for place, (value, greyed) in enumerate(_cells(chart)):
        if not math.isnan(value):
            _paint_cell(axis, *divmod(place, len(chart.x)), value, greyed, limit)


def _paint_cell(axis, i, j, value, greyed, limit):
    """Draw a cell, which lets more of the paper through the nearer it is to 0, but never looks like none."""
    from matplotlib.patches import Rectangle

    if greyed:
        fill, share, ink = LIGHT["cell"], 1, LIGHT["on-cell"]
    else:
        fill = LIGHT["above" if value > 0 else "below"]
        share = _PALEST + (1 - _PALEST) * abs(value) / limit if value else 0
        shown = blend(fill, LIGHT["paper"], share)
        ink = max(LIGHT["on-pale"], LIGHT["on-deep"], key=lambda color: contrast(color, shown))
    axis.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, facecolor=(fill, share), linewidth=0))
    axis.text(j, i, f"{value:+z.1f}", ha="center", va="center", fontsize=9, color=ink)


def _label(value):
    return f"{value:g}" if isinstance(value, int | float) else plain(short(value))
