"""What the estimators refuse beyond scikit-learn's own checks, in one line that names the argument."""

import warnings

import numpy as np
import pytest
from cases import needs_jit

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.datasets import load_iris  # noqa: E402

from minibn.errors import MinibnError  # noqa: E402
from minibn.sklearn import MinibnClassifier  # noqa: E402

pytestmark = [needs_jit, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

IRIS, KINDS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KINDS]
SMALL = {"hidden_layer_sizes": 8, "max_iter": 1, "random_state": 0}


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float64, str])
@pytest.mark.parametrize("labels", [np.arange(30), np.arange(30) // 3], ids=["each its own", "ten"])
def test_labels_that_are_mostly_distinct_are_warned_of(labels, kind):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MinibnClassifier(**SMALL).fit(IRIS[:30], labels.astype(kind))
    assert any("unique classes" in str(w.message) for w in caught) == (len(set(labels)) == 30)


@pytest.mark.parametrize("change", [{"hidden_layer_sizes": 5}, {"activation": "tanh"}, {"batch_norm": False}])
def test_training_goes_on_with_the_same_layers(change):
    model = MinibnClassifier(**SMALL, warm_start=True).fit(IRIS, NAMES).set_params(**change)
    for go_on in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"{next(iter(change))} must stay .* warm_start=False"):
            go_on(IRIS, NAMES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sample_weight_val": np.ones(150)}, "got no X_val"),
        ({"X_val": IRIS[:, :2], "y_val": NAMES}, "X_val, y_val: X has 2 features"),
        ({"X_val": IRIS, "y_val": ["rose"] * 150}, "X_val, y_val: y must hold labels among .*got 'rose';"),
    ],
)
def test_a_bad_validation_set_is_called_by_its_name(given, message):
    with pytest.raises(ValueError, match=message):
        MinibnClassifier(**SMALL).fit(IRIS, NAMES, **given)


def test_labels_of_two_kinds():
    mixed = np.array(["a", 1] * 75, object)
    for fit in (
        MinibnClassifier(**SMALL).fit,
        lambda x, y: MinibnClassifier().partial_fit(x, y, classes=[1, "a"]),
    ):
        with pytest.raises(MinibnError, match="labels of one kind, got int and str"):
            fit(IRIS, mixed)
