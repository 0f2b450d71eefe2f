"""Masked arrays of NumPy: refused where a value is masked, taken as they are where none is."""

import numpy as np
import pytest
from cases import needs_jit

from minibn import functional, nn
from minibn.autograd import Tensor
from minibn.data import Scaler, from_arrays, split
from minibn.errors import DataError
from minibn.metrics import confusion_matrix
from minibn.program import capture
from minibn.train import SGD, fit, recalibrate

X = np.random.default_rng(0).normal(2, 3, (30, 4)).astype(np.float32)
Y = np.arange(30) % 3
ONE, ZERO, W = np.ones(4, np.float32), np.zeros(4, np.float32), np.ones(30)
LOSS = nn.SoftmaxCrossEntropy()


def network():
    return nn.mlp([4, 5, 3], rng=0)


def epoch(x, y):
    return capture(network(), LOSS, SGD(0.1), 31).run_epoch(x, y, np.arange(30)).losses


DOORS = {
    "functional": ("x", X, lambda m: functional.batch_norm_forward(m, ONE, ZERO)[0]),
    "functional, gamma": ("gamma", ONE, lambda m: functional.batch_norm_forward(X, m, ZERO)[0]),
    "functional, labels": ("labels", Y, lambda m: functional.softmax_cross_entropy_forward(X, m)[0]),
    "a program": ("x", X, lambda m: epoch(m, Y)),
    "labels of a program": ("y", Y, lambda m: epoch(X, m)),
    "fit": ("x", X, lambda m: fit(network(), m, Y, epochs=1).records[0].train_loss),
    "fit, labels": ("y", Y, lambda m: fit(network(), X, m, epochs=1).records[0].train_loss),
    "fit, weights": (
        "sample_weight",
        W,
        lambda m: fit(network(), X, Y, sample_weight=m, epochs=1).best_epoch,
    ),
    "validation": ("validation x", X, lambda m: fit(network(), X, Y, validation=(m, Y), epochs=1).best_epoch),
    "a call": ("x", X, lambda m: network()(m).data),
    "a call with weights": ("sample_weight", W, lambda m: network()(X, sample_weight=m).data),
    "prediction": ("x", X, lambda m: network().predict_proba(m)),
    "recalibrate": ("x", X, lambda m: recalibrate(network(), m)[0].new_mean),
    "a tensor": ("data", X, lambda m: Tensor(m).data),
    "an operand": ("the operand", X, lambda m: (Tensor(X) * m).data),
    "a state": (r"state\['bias'\]", np.ones(2), lambda m: bias_of(m)),
    "class weights": ("class_weight", np.ones(3), lambda m: nn.SoftmaxCrossEntropy(m).class_weight),
    "targets": ("target", X, lambda m: nn.SquaredError()(Tensor(X), m).data),
    "from_arrays": ("x", X, lambda m: from_arrays(m, Y).x),
    "from_arrays, labels": ("y", Y, lambda m: from_arrays(X, m).y),
    "scaler": ("x", X, lambda m: Scaler.fit(m).mean),
    "split": ("y", Y, lambda m: split(m, 0.2, 0)[1]),
    "metrics": ("y_pred", Y, lambda m: confusion_matrix(Y, m, 3)),
}


def bias_of(given):
    layer = nn.Dense(3, 2, rng=0)
    layer.load_state_dict(layer.state_dict() | {"bias": given})
    return layer.bias.data


def masked(array, count):
    mask = np.zeros(array.shape, bool)
    mask.reshape(-1)[:count] = True
    return np.ma.array(array, mask=mask)


@pytest.mark.parametrize("door", DOORS)
def test_masked_values_are_refused_in_one_line(door):
    name, array, call = DOORS[door]
    remedy = "its " if " " in name else name  # "validation x" is no Python
    message = rf"^{name} has 1 of {array.size} values masked, .* fill them in, {remedy}\.filled\(value\)"
    with pytest.raises(DataError, match=message) as caught:
        call(masked(array, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_where_nothing_is_masked_it_is_an_array(door):
    _, array, call = DOORS[door]
    for given in (np.ma.array(array), masked(array, 0)):
        np.testing.assert_array_equal(call(given), call(array))


def test_memory_is_shared_and_changed_in_place():
    mean = np.ma.zeros(2)
    functional.update_running_stats_inplace(mean, np.ones(2), np.ones(2), np.ones(2), 0, 0.5)
    assert mean.tolist() == [0.5, 0.5]


@needs_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["MinibnClassifier", "MinibnRegressor"])
def test_estimators(kind):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from minibn import sklearn

    model = getattr(sklearn, kind)(4, max_iter=1, random_state=0).fit(X, Y)
    calls = {
        "X": lambda m: model.fit(m, Y),
        "y": lambda m: model.fit(X, m),
        "sample_weight": lambda m: model.fit(X, Y, sample_weight=m),
        "X_val, y_val: y": lambda m: model.fit(X, Y, X_val=X, y_val=m),
    }
    arrays = {"X": X, "sample_weight": W}
    for name, call in calls.items():
        array = arrays.get(name, Y)
        with pytest.raises(ValueError, match=rf"^{name} has 3 of {array.size} values masked"):
            call(masked(array, 3))
        call(masked(array, 0))
    with pytest.raises(DataError, match="^X has 3 of 120 values masked"):
        model.predict(masked(X, 3))
    np.testing.assert_array_equal(model.predict(masked(X, 0)), model.predict(X))
