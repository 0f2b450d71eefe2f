"""Charts of the lab drawn with matplotlib, which is imported only when one is drawn."""

import math

_ARMS = {"with batch norm": "#0b6e99", "without batch norm": "#c4501b"}
_OTHERS = ("#5b7f2b", "#7a4fa3", "#b58900", "#3b6ea5", "#a33b5b", "#4f8f8b", "#8a6d3b", "#555577")
_STYLES = {"line": "-", "dashed": "--", "dotted": ":", "points": ""}
_GREY = "#888888"
_CELL = 0.62  # inches of a heat map's cell


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


def figure_of(charts, title=None):
    """Return a matplotlib figure that holds all charts."""
    from matplotlib.figure import Figure

    columns = min(2, len(charts))
    rows = math.ceil(len(charts) / columns)
    sizes = [_size(chart) for chart in charts]
    width = columns * max(w for w, _ in sizes)
    figure = Figure(
        figsize=(width, rows * max(h for _, h in sizes) + bool(title) * 0.3), layout="constrained"
    )
    if title:
        figure.suptitle(title, fontsize=12)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, chart in zip(axes, charts, strict=False):
        paint(figure, axis, chart)
    for axis in axes[len(charts) :]:
        axis.set_axis_off()
    return figure


def save(figure, target, kind):
    """Write a figure to a path or a binary file; the same figure gives the same bytes."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "minibn"}):
        figure.savefig(target, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)


def _size(chart):
    if not hasattr(chart, "values"):
        return 5.4, 3.9
    return max(5.4, 2.4 + _CELL * len(chart.x)), max(3.0, 1.8 + 0.75 * _CELL * len(chart.y))


def paint(figure, axis, chart):
    """Draw one chart on one axis."""
    axis.set_title(chart.title, fontsize=9, wrap=True)
    axis.set_xlabel(chart.x_label)
    axis.set_ylabel(chart.y_label)
    if hasattr(chart, "values"):
        _paint_heat_map(figure, axis, chart)
    else:
        _paint_lines(axis, chart)


def _gaps(values):
    """Return numbers with NaN where there is none to draw."""
    return [math.nan if v is None or not math.isfinite(v) else v for v in values]


def _paint_lines(axis, chart):
    colors = _colors(chart.series)
    for series, color in zip(chart.series, colors, strict=True):
        marker = "o" if series.style == "points" or len(series.x) <= 20 else None
        axis.plot(
            _gaps(series.x), _gaps(series.y), _STYLES[series.style], color=color, label=series.label, marker=marker, markersize=3.5
        )  # fmt: skip
        if series.low is not None:
            axis.fill_between(
                series.x, _gaps(series.low), _gaps(series.high), color=color, alpha=0.18, linewidth=0
            )
    for label, height in chart.marks:
        axis.axhline(height, color=_GREY, linestyle=":", linewidth=1)
        axis.annotate(
            label,
            (0.99, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
            color=_GREY,
        )
    axis.set_xscale("log" if chart.log_x else "linear")
    axis.set_yscale("log" if chart.log_y else "linear")
    axis.grid(alpha=0.25)
    if any(series.label for series in chart.series):
        axis.legend(fontsize=8, frameon=False)


def _colors(series):
    """Return a colour for each series: an arm's own, otherwise the next of the others."""
    others = iter(_OTHERS * (1 + len(series) // len(_OTHERS)))
    return [_ARMS[s.arm] if s.arm else next(others) for s in series]


def _paint_heat_map(figure, axis, chart):
    values = [_gaps(row) for row in chart.values]
    limit = max((abs(v) for row in values for v in row if math.isfinite(v)), default=1) or 1
    image = axis.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    axis.set_xticks(range(len(chart.x)), [_label(v) for v in chart.x])
    axis.set_yticks(range(len(chart.y)), [_label(v) for v in chart.y])
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            _paint_cell(axis, i, j, value, bool(chart.greyed) and chart.greyed[i][j], limit)
    figure.colorbar(image, ax=axis, label=chart.unit)


def _paint_cell(axis, i, j, value, greyed, limit):
    from matplotlib.patches import Rectangle

    if greyed:
        axis.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor="#d9d9d9", edgecolor="white"))
    text = "" if math.isnan(value) else f"{value:+.1f}"
    color = "#777777" if greyed else "white" if abs(value) > 0.6 * limit else "black"
    axis.text(j, i, text, ha="center", va="center", fontsize=8, color=color)


def _label(value):
    return f"{value:g}" if isinstance(value, int | float) else str(value)
