"""The plot of the kernels suite: ratios on a log axis, batch norm by shape, the other kernels one line each."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.cases import CASES

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7b3fa0", "#c78500")
_MARKS = ("o", "s", "D", "^", "v")
_TICKS = tuple(2.0**power for power in range(-7, 8))


def _errors(row):
    return [[max(0.0, row["ratio"] - row["low"])], [max(0.0, row["high"] - row["ratio"])]]


def _by_name(results, batch_norm):
    names = [case.name for case in CASES if case.batch_norm == batch_norm]
    rows = {name: [row for row in results["rows"] if row["name"] == name] for name in names}
    return {name: found for name, found in rows.items() if found}


def _times(value, position=None):
    return f"{value:g}x" if value >= 1 else f"1/{1 / value:g}x"


def _ratio_axis(axis, lines, results):
    """Draw the line at 1, the band of the control, and ticks at powers of two."""
    control = results["control"]
    span, line = (lines.axhspan, lines.axhline) if axis is lines.yaxis else (lines.axvspan, lines.axvline)
    span(control["low"], control["high"], color="0.88", zorder=0)
    line(1, color="0.25", linewidth=1, zorder=1)
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_times))
    lines.grid(axis="y" if axis is lines.yaxis else "x", color="0.92", zorder=0)


def _draw_batch_norm(axes, results):
    groups = _by_name(results, batch_norm=True)
    shapes = [row["shape"] for row in next(iter(groups.values()))]
    for i, (name, rows) in enumerate(groups.items()):
        for row in rows:
            at = shapes.index(row["shape"]) + (i - (len(groups) - 1) / 2) * 0.13
            axes.errorbar(
                at, row["ratio"], _errors(row), fmt=_MARKS[i], color=_COLOURS[i], markersize=5,
                linewidth=1.2, label=name if row is rows[0] else None,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xticks(range(len(shapes)), shapes, fontsize=9)
    axes.set_xlabel("rows x features")
    axes.set_title("Batch norm", loc="left", fontsize=11)
    _ratio_axis(axes.yaxis, axes, results)


def _draw_others(axes, results):
    groups = _by_name(results, batch_norm=False)
    for i, rows in enumerate(groups.values()):
        for k, row in enumerate(rows):
            at = i + (k - (len(rows) - 1) / 2) * 0.2
            axes.errorbar(
                row["ratio"], at, xerr=_errors(row), fmt=_MARKS[k], color=_COLOURS[k], markersize=4.5,
                linewidth=1.2,
            )  # fmt: skip
            axes.annotate(row["shape"], (1.01, at), xycoords=("axes fraction", "data"), fontsize=7, va="center",
                          color=_COLOURS[k])  # fmt: skip
    axes.set_xscale("log")
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_title("Other kernels (shape at the right, smallest on top)", loc="left", fontsize=11)
    _ratio_axis(axes.xaxis, axes, results)


def draw(results, stem):
    """Write the plot as PNG and SVG.

    Parameters
    ----------
    results : dict
    stem : Path
        Path of the files without their suffix.
    """
    peer = results["rows"][0]["against"]
    label = f"time of {peer} / time of minibn"
    figure = Figure(figsize=(11, 12), layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(4, 7))
    _draw_batch_norm(top, results)
    top.set_ylabel(label)
    top.legend(fontsize=8, frameon=False, ncols=2)
    _draw_others(bottom, results)
    bottom.set_xlabel(f"{label}\n(bars: 10th to 90th percentile; grey: the control against itself)")
    figure.suptitle(f"minibn kernels against {peer}, 1 thread: above 1 minibn is faster", fontsize=12)
    for suffix in (".png", ".svg"):
        figure.savefig(stem.with_suffix(suffix), dpi=150)
