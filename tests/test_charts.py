"""What charts of the lab look like: colours of heat maps and ticks of epochs."""

import re
from dataclasses import replace

import pytest
from minibn_cli.charts import colour_limits, figure_of
from minibn_cli.page import page

from minibn.lab import HeatMap, Lines, Report, Series

SMALL = HeatMap("small", "rate", "", "points", (1, 2, 3), ("",), ((2.0, 0.1, 90.0),), ((False, False, True),))
LARGE = replace(SMALL, title="large", values=((-40.0, 4.0, None),), greyed=())


def _shares(figure):
    """Return how opaque the cells of each heat map are."""
    return [[patch.get_facecolor()[3] for patch in axis.patches] for axis in figure.axes]


def test_heat_maps_of_one_unit_share_their_colours():
    assert colour_limits((SMALL, LARGE, replace(LARGE, unit="steps"))) == {"points": 40.0, "steps": 40.0}
    (small, _, _), (large, _) = _shares(figure_of([SMALL, LARGE]))
    assert large == 1
    assert small < 0.25
    both, alone = (
        page(Report("sweep", "t", "q", "v", charts=charts)) for charts in ((SMALL, LARGE), (SMALL,))
    )
    assert _cells_of(both)[0] == pytest.approx(small, abs=0.01)
    assert _cells_of(alone)[0] == 1


def _cells_of(text):
    """Return how opaque the cells of the first heat map of a page are."""
    return [float(re.search(r"opacity: ([\d.]+)", style)[1]) if "opacity" in style else 1.0
            for style in re.findall(r'style="([^"]*--(?:above|below|cell)\)[^"]*)"', text.split("</figure>")[0])]  # fmt: skip


def test_a_grey_cell_sets_no_limit_and_a_small_value_is_no_blank():
    assert colour_limits([SMALL]) == {"points": 2.0}
    full, small, grey = _shares(figure_of([SMALL]))[0]
    assert (full, grey) == (1, 1)
    assert 0.15 <= small < 0.25
    every = replace(SMALL, greyed=((True, True, True),))
    assert colour_limits([every]) == {"points": 0}
    assert _shares(figure_of([every])) == [[1, 1, 1]]


@pytest.mark.parametrize("last", [1, 2, 3, 40])
def test_epochs_are_whole(last):
    epochs = tuple(range(1, 1 + last))
    figure = figure_of([Lines("loss", "epoch", "nats", (Series("a", epochs, [1.0] * last),))])
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks and all(tick == round(tick) for tick in ticks)
