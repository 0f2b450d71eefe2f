"""The laboratory: what batch normalization does on given data, with intervals.

Everything here uses the public interface of training and returns data; nothing is printed or drawn.
"""

from minibn.lab.comparison.comparison import Comparison
from minibn.lab.comparison.pairs import ARMS, WITH, WITHOUT, Pair, experiments, pairs
from minibn.lab.comparison.report import comparison_report
from minibn.lab.comparison.tuning import Tuning, tune
from minibn.lab.doctor import Diagnosis, Finding, doctor
from minibn.lab.ranking import curve_series, precision_recall_chart, threshold_point
from minibn.lab.rates.lr_find import lr_find
from minibn.lab.report import HeatMap, Lines, Report, Series, Table
from minibn.lab.run import Outcome, run
from minibn.lab.statistics import (
    Difference,
    holm,
    mean_interval,
    paired_difference,
    ratio_interval,
    spread_ratio,
    verdict,
)
from minibn.lab.steps import StepTrainer
from minibn.lab.sweeps.grid import Grid
from minibn.lab.sweeps.sweep import sweep

__all__ = [
    "ARMS",
    "WITH",
    "WITHOUT",
    "Comparison",
    "Diagnosis",
    "Difference",
    "Finding",
    "Grid",
    "HeatMap",
    "Lines",
    "Outcome",
    "Pair",
    "Report",
    "Series",
    "StepTrainer",
    "Table",
    "Tuning",
    "comparison_report",
    "curve_series",
    "doctor",
    "experiments",
    "holm",
    "lr_find",
    "mean_interval",
    "paired_difference",
    "pairs",
    "precision_recall_chart",
    "ratio_interval",
    "run",
    "spread_ratio",
    "sweep",
    "threshold_point",
    "tune",
    "verdict",
]
