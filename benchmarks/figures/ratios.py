"""Ratios on a log axis: batch norm by shape, one panel per kernel, and the other kernels, one line each."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.against import TITLES
from benchmarks.cases import CASES
from benchmarks.figures.canvas import COLOURS, MARKS, figure, save

_TICKS = tuple(2.0**power for power in range(-7, 9))
_STYLES = {peer: (MARKS[i], COLOURS[i]) for i, peer in enumerate(TITLES)}


def _errors(row):
    return [[max(0.0, row["ratio"] - row["low"])], [max(0.0, row["high"] - row["ratio"])]]


def _rows(report, name, peer):
    return [
        row for row in report["details"]
        if row["name"] == name and row["against"] == peer and row["threads"] == 1
    ]  # fmt: skip


def _times(value, position=None):
    return f"{value:g}x" if value >= 1 else f"1/{1 / value:g}x"


def _ratio_axis(axes, axis, control):
    """Draw the line at 1, the band of the control, and ticks at powers of two."""
    upright = axis is axes.yaxis
    (axes.axhspan if upright else axes.axvspan)(control["low"], control["high"], color="0.88", zorder=0)
    (axes.axhline if upright else axes.axvline)(1, color="0.25", linewidth=1, zorder=1)
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_times))
    axes.grid(axis="y" if upright else "x", color="0.92", zorder=0)


def _draw_shapes(axes, report, case):
    """Draw one kernel of the grid: a mark per shape and peer."""
    for i, (peer, (mark, colour)) in enumerate(_STYLES.items()):
        for k, row in enumerate(_rows(report, case.name, peer)):
            axes.errorbar(k + (i - 1) * 0.18, row["ratio"], _errors(row), fmt=mark, color=colour, markersize=4,
                          linewidth=1, label=None if k else TITLES[peer])  # fmt: skip
    shapes = [row["shape"] for row in _rows(report, case.name, "copy")]
    axes.set_xticks(range(len(shapes)), shapes, fontsize=7, rotation=30)
    axes.set_yscale("log")
    axes.set_title(case.name, loc="left", fontsize=10)
    _ratio_axis(axes, axes.yaxis, report["control"][0])


def _draw_others(axes, report, cases):
    """Draw the other kernels: a line each, a mark per shape and peer."""
    for i, case in enumerate(cases):
        for peer, (mark, colour) in _STYLES.items():
            rows = _rows(report, case.name, peer)
            for k, row in enumerate(rows):
                axes.errorbar(row["ratio"], i + (k - (len(rows) - 1) / 2) * 0.22, xerr=_errors(row), fmt=mark,
                              color=colour, markersize=4, linewidth=1)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yticks(range(len(cases)), [case.name for case in cases], fontsize=8)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_title("Other kernels, smallest shape on top", loc="left", fontsize=10)
    axes.set_xlabel("time of the peer / time of minibn (bars: 10th to 90th percentile; grey: the control)")
    _ratio_axis(axes, axes.xaxis, report["control"][0])


def draw(report, path):
    """Write the plot.

    Parameters
    ----------
    report : dict
        Of the suite ``kernels``.
    path : Path
    """
    grid = [case for case in CASES if case.batch_norm]
    made = figure(11, 17)
    top, bottom = made.subfigures(2, 1, height_ratios=(9, 8))
    panels = top.subplots(3, 2)
    for axes, case in zip(panels.flat, grid, strict=True):
        _draw_shapes(axes, report, case)
    panels[0, 0].legend(fontsize=8, frameon=False)
    _draw_others(bottom.subplots(), report, [case for case in CASES if not case.batch_norm])
    made.suptitle("Time of each peer / time of minibn, 1 thread: above 1 minibn is faster", fontsize=12)
    save(made, path)
