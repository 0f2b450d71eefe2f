"""What a question comes to, as data: an answer, tables, charts. How they look is not decided here."""

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Table:
    """Columns under their heads.

    Attributes
    ----------
    title : str
    head : tuple of str
    rows : tuple of tuple
        Texts, numbers and None; a None is shown as ``-``.
    """

    title: str
    head: tuple
    rows: tuple


@dataclass(frozen=True)
class Series:
    """One line of a chart, with a band around it where ``low`` and ``high`` are given.

    Attributes
    ----------
    label : str
    x, y : sequence of float
        None and non-finite values leave a gap.
    low, high : sequence of float or None
    arm : str or None
        ``"with batch norm"`` or ``"without batch norm"``: the same colours everywhere.
    style : str
        ``"line"``, ``"dashed"``, ``"dotted"`` or ``"points"``.
    """

    label: str
    x: Any
    y: Any
    low: Any = None
    high: Any = None
    arm: str | None = None
    style: str = "line"

    def within(self, least, most):
        """Return the series with its band cut where no figure can be, such as beyond 0 and 1 for a share."""
        if self.low is None:
            return self
        low, high = (
            [v if v is None else min(max(v, least), most) for v in ends] for ends in (self.low, self.high)
        )
        return replace(self, low=low, high=high)


@dataclass(frozen=True)
class Lines:
    """Series over one pair of axes.

    Attributes
    ----------
    title, x_label, y_label : str
        Labels carry the unit.
    series : tuple of Series
    log_x, log_y : bool
    marks : tuple of (str, float)
        Labelled horizontal lines, such as a baseline.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple
    log_x: bool = False
    log_y: bool = False
    marks: tuple = ()


@dataclass(frozen=True)
class HeatMap:
    """Numbers over two settings.

    Attributes
    ----------
    title, x_label, y_label, unit : str
    x, y : tuple
        Settings of the columns and of the rows.
    values : tuple of tuple of float or None
        ``values[row][column]``; None where nothing was measured.
    greyed : tuple of tuple of bool
        Cells that are shown, but mean nothing.
    """

    title: str
    x_label: str
    y_label: str
    unit: str
    x: tuple
    y: tuple
    values: tuple
    greyed: tuple = ()


@dataclass(frozen=True)
class Report:
    """The answer to a question.

    Attributes
    ----------
    name : str
        What was run, in one word: ``"compare"``, or a study's name.
    title, question : str
    verdict : str
        The answer in one word or two: ``"yes"``, ``"no"``, ``"cannot tell"``, ``"helps"``.
    statements : tuple of str
        The answer in sentences, each with its figure and interval.
    tables : tuple of Table
    charts : tuple of Lines or HeatMap
    numbers : dict
        JSON-able; everything that the sentences and tables say, to compute with.
    conditions : dict
        What was run on what: data, network, rates, seeds. JSON-able.
    source : str
        Paper and section of the question, where it has one.
    """

    name: str
    title: str
    question: str
    verdict: str
    statements: tuple = ()
    tables: tuple = ()
    charts: tuple = ()
    numbers: dict = field(default_factory=dict)
    conditions: dict = field(default_factory=dict)
    source: str = ""
