"""scikit-learn estimators: :class:`MinibnClassifier` and :class:`MinibnRegressor`."""

from minibn.interop.sklearn import MinibnClassifier, MinibnRegressor

__all__ = ["MinibnClassifier", "MinibnRegressor"]
