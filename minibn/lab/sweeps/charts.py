"""Charts of a sweep: heat maps of the difference, and both arms against a single axis."""

from itertools import product

from minibn.lab.comparison.pairs import WITH, WITHOUT
from minibn.lab.report import HeatMap, Lines, Series
from minibn.lab.sweeps.grid import AXES

MOST_MAPS = 6
UNIT = "points, with minus without"


def sweep_charts(grid, cells):
    """Return the charts of a sweep; with more than two axes one heat map for each combination of the others.

    Parameters
    ----------
    grid : Grid
    cells : list of Cell

    Returns
    -------
    tuple of Lines or HeatMap
        At most six heat maps.
    """
    x, y, others = _placed(grid.axes)
    chosen = list(product(*(grid.axes[name] for name in others)))[:MOST_MAPS]
    maps = [_heat_map(grid, cells, x, y, dict(zip(others, values, strict=True))) for values in chosen]
    numeric = not isinstance(grid.axes[x][0], str)
    return (_accuracies(grid, cells, x), *maps) if y is None and numeric else tuple(maps)


def maps_left_out(grid):
    """Return how many heat maps there would be beyond those shown."""
    count = 1
    for name in _placed(grid.axes)[2]:
        count *= len(grid.axes[name])
    return max(0, count - MOST_MAPS)


def _placed(axes):
    """Return the axis of the columns, of the rows, and the others: rates lie on the columns."""
    names = sorted(axes, key=lambda name: name != "lr")
    return names[0], names[1] if len(names) > 1 else None, names[2:]


def _heat_map(grid, cells, x, y, others):
    by_values = {tuple(cell.values.items()): cell for cell in cells}
    rows = [{y: value} for value in grid.axes[y]] if y else [{}]
    found = [
        [by_values[tuple({n: ({x: at} | row | others)[n] for n in grid.axes}.items())] for at in grid.axes[x]]
        for row in rows
    ]
    where = ", ".join(f"{AXES[name]} {shown(value)}" for name, value in others.items())
    return HeatMap(
        title=f"{where or 'difference of validation accuracy'}; grey: not significant",
        x_label=AXES[x],
        y_label=AXES[y] if y else "",
        unit=UNIT,
        x=grid.axes[x],
        y=grid.axes[y] if y else ("",),
        values=tuple(tuple(cell.difference.mean for cell in row) for row in found),
        greyed=tuple(tuple(not cell.significant for cell in row) for row in found),
    )


def _accuracies(grid, cells, x):
    """Return mean accuracy of both arms, with intervals, against the only axis."""
    order = sorted(cells, key=lambda cell: cell.values[x])
    values = [cell.values[x] for cell in order]
    return Lines(
        title="mean accuracy with 95 % interval",
        x_label=AXES[x],
        y_label="validation accuracy (points)",
        series=tuple(_line(arm, values, [cell.arms[arm] for cell in order]) for arm in (WITH, WITHOUT)),
        log_x=min(values) > 0 and max(values) > 10 * min(values),
        marks=(("majority baseline", order[0].with_bn.baseline),),
    )


def _line(name, values, arms):
    means, lows, highs = ([getattr(arm, end) for arm in arms] for end in ("mean", "low", "high"))
    return Series(name, values, means, lows, highs, arm=name).within(0, 100)


def shown(value):
    """Return the value of an axis as text."""
    return value if isinstance(value, str) else f"{value:g}"
