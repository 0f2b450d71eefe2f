"""A text chart of loss against epoch."""

import math

_HEIGHT, _WIDTH = 10, 64


def loss_chart(series):
    """Draw one or two curves of loss against epoch with text.

    Parameters
    ----------
    series : dict of str to sequence of float
        Marker (one character) to losses, one per epoch from 1 on.

    Returns
    -------
    str
        Empty where there is nothing finite to draw.
    """
    finite = [v for values in series.values() for v in values if v is not None and math.isfinite(v)]
    if not finite:
        return ""
    low, high = min(0.0, *finite), max(finite)
    count = max(len(values) for values in series.values())
    step = max(1, min(8, _WIDTH // count)) if count <= _WIDTH else _WIDTH / count
    grid = [[" "] * (int(count * step) + 1) for _ in range(_HEIGHT + 1)]
    for marker, values in series.items():
        for epoch, value in enumerate(values):
            if value is not None and math.isfinite(value):
                level = round((value - low) / ((high - low) or 1.0) * _HEIGHT)
                grid[_HEIGHT - level][int(epoch * step)] = marker
    return "\n".join([*_levels(grid, low, high), *_axis(count, step)])


def _levels(grid, low, high):
    for row, cells in enumerate(grid):
        value = low + (high - low) * (_HEIGHT - row) / _HEIGHT  # exactly low in the last row
        label = f"{value:8.3g}"
        yield f"{label} |{''.join(cells)}".rstrip()


def _axis(count, step):
    width = int(count * step) + 1
    every = max(1, math.ceil(4 / step))
    ticks = [" "] * (width + 4)
    for epoch in range(0, count, every):
        text, at = str(epoch + 1), int(epoch * step)
        ticks[at : at + len(text)] = text
    yield " " * 9 + "+" + "-" * width
    yield " " * 10 + "".join(ticks).rstrip() + "  epoch"
