"""Estimators for scikit-learn: a multilayer perceptron with batch norm, for classes and for numbers."""

from minibn.errors import require_extra

require_extra("sklearn", "sklearn")

from minibn.interop.sklearn.classifier import MinibnClassifier  # noqa: E402
from minibn.interop.sklearn.regressor import MinibnRegressor  # noqa: E402

__all__ = ["MinibnClassifier", "MinibnRegressor"]
