"""A report that holds one of everything, with texts that would break a careless page."""

import math

from minibn.lab import HeatMap, Lines, Report, Series, Table

SCRIPT = "<script>alert(1)</script>"
DATA = f'a&b "{SCRIPT}" $x$ /data.csv'

LOSSES = Lines(
    title=f"Training loss of {SCRIPT}",
    x_label="epoch",
    y_label="loss (nats) $\\frac$",
    series=(
        Series("with batch norm", [1, 2, 3], [1.2, 0.7, 0.31], [1.0, 0.5, 0.2], [1.4, 0.9, 0.4], arm="with batch norm"),
        Series("without batch norm", [1, 2, 3], [1.3, None, math.nan], arm="without batch norm", style="dashed"),
        Series(f"_hidden {SCRIPT}", [1, 3], [2.0, 1.0], style="points"),
    ),
    marks=(("chance & more", 1.1),),
)  # fmt: skip
RATES = Lines(
    title="Steps to an accuracy",
    x_label="learning rate",
    y_label="steps",
    series=tuple(Series(f"depth {k}", [0.001, 0.01, 0.1, 1.0], [900 / k, 300 / k, 90 / k, 40]) for k in range(1, 7)),
    log_x=True,
    log_y=True,
)  # fmt: skip
CELLS = HeatMap(
    title="With minus without batch norm",
    x_label="learning rate",
    y_label="classes",
    unit="points",
    x=(0.01, 0.1, 1.0),
    y=("few", f"many {SCRIPT[:8]}"),
    values=((-3.25, 0.5, 12.75), (None, -0.125, 44.0)),
    greyed=((False, True, False), (False, True, False)),
)
WIDE = HeatMap("Many cells", "width", "depth", "points", tuple(range(20)), (1, 2), (tuple(range(20)),) * 2)

REPORT = Report(
    name="compare",
    title=f"Batch norm on {DATA}",
    question=f"Does it help on {DATA}?",
    verdict="helps",
    statements=(f"On {DATA} it helps: +12.1 points, 95 % interval [+8.2, +16.0].", "No run diverged."),
    tables=(
        Table("Loss of both, with a title that is a good deal wider than its table", ("epoch", "with", "without", "interval"), ((1, 1.23456, 2.0, "[-0.03, +0.01]"), (10, 3e-7, None, "-"))),
        Table(f"Recall {SCRIPT}", ("", "recall", "ok", "why"), ((f"class {SCRIPT}", math.nan, True, "a long text that wraps " * 4),)),
    ),
    charts=(LOSSES, RATES, CELLS, WIDE),
    numbers={"mean": 12.125, "pairs": [{"seed": 0, "with": 0.1 + 0.2}], "data": DATA, "bad": math.inf, "link": "https://example.org"},
    conditions={"data": DATA, "seeds": [0, 1, 2], "rates": {"with_bn": 0.1, "tuned": False}, "scale": None},
    source="Ioffe & Szegedy 2015, section 4.2.1",
)  # fmt: skip
