"""scikit-learn's own checks of an estimator, all of them, with no expected failure."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from cases import needs_jit  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from minibn.sklearn import MinibnClassifier, MinibnRegressor  # noqa: E402


@needs_jit
@parametrize_with_checks([MinibnClassifier(), MinibnRegressor()])
def test_check(estimator, check):
    check(estimator)
