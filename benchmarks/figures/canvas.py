"""Figures without a display, and their files."""

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7b3fa0", "#c78500")
MARKS = ("o", "s", "D", "^", "v")


def figure(width, height):
    """Return an empty figure, inches."""
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(made, path):
    """Write a figure as SVG, the same bytes for the same numbers."""
    with matplotlib.rc_context(
        {"svg.hashsalt": "minibn", "svg.fonttype": "none", "font.family": "sans-serif"}
    ):
        made.savefig(path, metadata={"Date": None})
