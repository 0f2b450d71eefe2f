"""The laboratory: what batch normalization does on given data, with intervals.

Everything here uses the public interface of training and returns data; nothing is printed or drawn.
"""

from minibn.lab.report import HeatMap, Lines, Report, Series, Table
from minibn.lab.run import Outcome, run
from minibn.lab.statistics import (
    Difference,
    holm,
    mean_interval,
    paired_difference,
    ratio_interval,
    verdict,
)
from minibn.lab.steps import StepTrainer

__all__ = [
    "Difference",
    "HeatMap",
    "Lines",
    "Outcome",
    "Report",
    "Series",
    "StepTrainer",
    "Table",
    "holm",
    "mean_interval",
    "paired_difference",
    "ratio_interval",
    "run",
    "verdict",
]
