"""How good predictions are: from the confusion matrix, and from scores at every threshold.

Rows of a confusion matrix are the true classes, columns the predicted ones. Where a denominator is 0, this package
does what scikit-learn does: precision without a predicted row, recall without a true row, and F1 without either count
as 0 (``zero_division``), balanced accuracy leaves out classes without a true row, and the correlation is 0.
"""

from minibn.metrics.confusion import confusion_matrix
from minibn.metrics.measures import (
    accuracy,
    balanced_accuracy,
    majority_baseline,
    matthews_correlation,
    precision_recall_f1,
)
from minibn.metrics.ranking import average_precision, precision_recall_curve
from minibn.metrics.summary import summarize
from minibn.metrics.threshold import Threshold, parse_goal, threshold_for

__all__ = [
    "Threshold",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "confusion_matrix",
    "majority_baseline",
    "matthews_correlation",
    "parse_goal",
    "precision_recall_curve",
    "precision_recall_f1",
    "summarize",
    "threshold_for",
]
