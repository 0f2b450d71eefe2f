"""What a model is worth on some rows: rankings, thresholds, and rows that have neither."""

import numpy as np
import pytest

from minibn.lab import curve_series, precision_recall_chart
from minibn.metrics import average_precision
from minibn.nn import mlp
from minibn.train import Settings, judge, prepare, search_threshold
from minibn.train.judge import log_odds, probability

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3)).astype(np.float32)
Y = ((X.sum(axis=1) + RNG.standard_normal(200)) > 2).astype(np.int64)
LABELS = ["no", "yes"]


def linear(weight):
    """Return a network of one layer, whose log-odds are ``x @ weight``."""
    model = mlp([3, 2], bn=False, rng=np.random.default_rng(0))
    state = model.state_dict()
    state["0.weight"][:] = [[0, 0, 0], weight]
    state["0.bias"][:] = 0
    model.load_state_dict(state)
    return model.eval()


def test_log_odds_and_probability():
    model = linear([1, 2, 3])
    np.testing.assert_allclose(log_odds(model, X, LABELS), X @ [1, 2, 3], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        probability(log_odds(model, X, LABELS)), model.predict_proba(X)[:, 1], rtol=1e-4
    )
    np.testing.assert_array_equal(log_odds(model, X, LABELS, "no"), -log_odds(model, X, LABELS))
    assert probability(np.array([-800.0, 0.0, 800.0])).tolist() == [0.0, 0.5, 1.0]


def test_sure_rows_do_not_tie():
    """In float32 the probabilities of most rows are 1 here; their order is still known."""
    peer = pytest.importorskip("sklearn.metrics")
    model = linear([20, 20, 20])
    found = judge(model, X + 2, Y, LABELS)["average_precision"]
    assert found == pytest.approx(
        peer.average_precision_score(Y, (X + 2).astype(np.float64).sum(axis=1)), abs=1e-6
    )
    assert found > average_precision(Y, model.predict_proba(X + 2)[:, 1]) + 0.2


@pytest.mark.parametrize("positive", LABELS)
@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_threshold_moves_the_predictions(positive, threshold):
    model = linear([1, 1, 1])
    index = LABELS.index(positive)
    called = model.predict_proba(X)[:, index] >= threshold
    found = judge(model, X, Y, LABELS, positive, threshold)
    true = index == Y
    assert found["recall"] == (called & true).sum() / true.sum()
    assert found["prevalence"] == true.mean()
    assert found["average_precision"] == judge(model, X, Y, LABELS, positive)["average_precision"]


def test_without_a_threshold_the_more_probable_class_is_predicted():
    model = linear([1, 1, 1])
    assert judge(model, X, Y, LABELS)["accuracy"] == np.mean(model.predict(X) == Y)


def test_what_cannot_be_ranked_has_no_average_precision():
    found = judge(linear([1, 1, 1]), X[Y == 0], Y[Y == 0], LABELS)
    assert (found["average_precision"], found["prevalence"], found["recall"]) == (None, 0.0, 0.0)
    assert judge(linear([1, np.nan, 1]), X, Y, LABELS)["average_precision"] is None
    three = judge(mlp([3, 3], bn=False, rng=RNG).eval(), X, Y, ["a", "b", "c"])
    assert (three["average_precision"], three["prevalence"]) == (None, None)


def test_the_search_looks_at_validation_rows_only(tmp_path):
    """Turning every training label around changes nothing."""
    y = np.where(Y == 1, "yes", "no")
    np.savez(tmp_path / "data.npz", x=X, y=y)
    experiment = prepare(Settings(data=str(tmp_path / "data.npz"), threshold_for="recall=0.7", scale="none"))
    found = search_threshold(linear([1, 1, 1]), experiment)
    scores = 1 / (1 + np.exp(-experiment.x_validation.astype(np.float64).sum(axis=1)))
    called, true = scores >= found.threshold, experiment.y_validation == 1
    assert (called & true).sum() / true.sum() == found.recall >= 0.7
    assert (called & true).sum() / called.sum() == found.precision
    experiment.y_train[:] = 1 - experiment.y_train
    experiment.x_train[:] = 0
    assert search_threshold(linear([1, 1, 1]), experiment) == found


def test_a_curve_is_drawn_in_the_steps_that_average_precision_sums():
    scores = np.round(X.sum(axis=1), 1)
    series = curve_series("net", Y == 1, scores)
    area = np.trapezoid(series.y, series.x) if hasattr(np, "trapezoid") else np.trapz(series.y, series.x)
    # Tied rows may add several positives at once, of which the drawn step keeps the best precision.
    assert area == pytest.approx(average_precision(Y == 1, scores), abs=1e-9)
    assert series.label == f"net, average precision {area:.3f}"
    assert (series.x[0], series.x[-1]) == (0.0, 1.0)
    many = curve_series("net", RNG.random(10_000) < 0.5, RNG.random(10_000))
    assert len(many.x) <= 800 and many.x[-1] == 1
    assert precision_recall_chart([series], 0.25).marks == (("a coin: 0.25", 0.25),)
