"""The estimators beyond scikit-learn's own suites: parity, weights, validation sets, state, and how they compose."""

import pickle
import warnings

import numpy as np
import pytest
from cases import needs_jit

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris, make_classification  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from minibn.errors import BatchSizeError, MinibnError  # noqa: E402
from minibn.nn import BatchNorm  # noqa: E402
from minibn.sklearn import MinibnClassifier, MinibnRegressor  # noqa: E402

pytestmark = [needs_jit, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

IRIS, KINDS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KINDS]
DIABETES = load_diabetes(return_X_y=True)
SMALL = {"hidden_layer_sizes": 8, "max_iter": 20, "random_state": 0, "learning_rate_init": 0.01}


def fitted(x=IRIS, y=NAMES, weight=None, **options):
    return MinibnClassifier(**SMALL | options).fit(x, y, weight)


def largest_difference(a, b):
    pairs = zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    return max(np.abs(p - q).max() for p, q in pairs)


# the same meaning as scikit-learn's

PARITY = [
    {"solver": "sgd"},
    {"solver": "sgd", "momentum": 0.0, "activation": "tanh"},
    {"solver": "sgd", "nesterovs_momentum": False, "activation": "logistic"},
    {"solver": "sgd", "activation": "identity", "alpha": 0.1, "shuffle": False},
    {"solver": "sgd", "hidden_layer_sizes": (7, 5), "learning_rate": "invscaling", "momentum": 0.0},
    {"solver": "adam", "epsilon": 1e-16},
]


@pytest.mark.parametrize("options", PARITY, ids=lambda options: "-".join(map(str, options.values())))
def test_one_random_state_gives_scikit_learns_network(options):
    """Same initial weights, order and updates: with full batches the weights agree after 20 epochs."""
    options = SMALL | {"batch_size": 50} | options
    ours = MinibnClassifier(batch_norm=False, **options).fit(IRIS, KINDS)
    assert largest_difference(MLPClassifier(**options).fit(IRIS, KINDS), ours) < 1e-9


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_regression_gives_scikit_learns_network(solver, outputs):
    x, y = DIABETES[0][:400] * 20, (DIABETES[1][:400] - 150) / 75
    y = y if outputs == 1 else np.column_stack([y, y**2])
    options = SMALL | {"batch_size": 50, "solver": solver, "epsilon": 1e-16}
    ours = MinibnRegressor(batch_norm=False, **options).fit(x, y)
    theirs = MLPRegressor(**options).fit(x, y)
    assert largest_difference(theirs, ours) < 1e-9
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-9)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-3)  # theirs has the penalty in it


def test_batch_norm_starts_from_the_same_weights():
    """A learning rate of almost nothing shows the initial weights."""
    options = {"learning_rate_init": 1e-12, "max_iter": 1}
    normed, plain = fitted(**options), fitted(**options, batch_norm=False)
    np.testing.assert_allclose(normed.coefs_[0], plain.coefs_[0], atol=1e-9)
    assert not normed.intercepts_[0].any() and plain.intercepts_[0].any()


# batch norm


def test_batch_norm_trains_and_precise_stats_are_those_of_the_rows():
    model = fitted(batch_norm=True, precise_stats=True, max_iter=60)
    layer = model.model_.layers[1]
    assert isinstance(layer, BatchNorm) and model.score(IRIS, NAMES) > 0.9
    hidden = IRIS @ model.coefs_[0]
    np.testing.assert_allclose(layer.running_mean, hidden.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(layer.running_var, hidden.var(axis=0, ddof=1), rtol=1e-9)


def test_bn_momentum_reaches_the_layers():
    assert fitted(bn_momentum=None).model_.layers[1].momentum is None
    assert fitted(bn_momentum=0.3).model_.layers[1].momentum == 0.3


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"rows": 1}])
def test_one_row_has_no_variance(options):
    rows = options.pop("rows", 30)
    with pytest.raises(BatchSizeError, match="batch_norm=True needs at least 2 rows"):
        MinibnRegressor(**options).fit(IRIS[:rows], np.arange(float(rows)))


# dtypes and sparse rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_features_is_computed_in(dtype):
    model = fitted(IRIS.astype(dtype))
    assert {p.dtype for p in model.model_.parameters().values()} == {np.dtype(dtype)}
    assert model.predict_proba(IRIS.astype(dtype)).dtype == dtype


def test_sparse_rows_equal_dense_ones():
    from scipy.sparse import csr_array

    x = np.where(IRIS > 2, IRIS, 0.0)
    model, dense = fitted(csr_array(x)), fitted(x)
    assert largest_difference(model, dense) == 0
    many = np.tile(x, (10, 1))
    np.testing.assert_allclose(model.predict_proba(csr_array(many)), dense.predict_proba(many), atol=1e-12)


# weights


def test_a_weight_of_two_is_the_row_twice_in_one_batch():
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(60, 4)), rng.integers(3, size=60), rng.integers(0, 3, size=60)
    for options in ({"batch_norm": True}, {"batch_norm": False}, {"class_weight": "balanced"}):
        weighted = fitted(x, y, weight, **options)
        repeated = fitted(np.repeat(x, weight, axis=0), np.repeat(y, weight), **options)
        assert largest_difference(weighted, repeated) < 1e-9
        np.testing.assert_allclose(weighted.predict_proba(x), repeated.predict_proba(x), atol=1e-9)


def test_weights_reach_precise_stats():
    weight = np.arange(150) % 3
    weighted = fitted(weight=weight, precise_stats=True)
    repeated = fitted(np.repeat(IRIS, weight, axis=0), np.repeat(NAMES, weight), precise_stats=True)
    ours, theirs = (m.model_.layers[1] for m in (weighted, repeated))
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean, rtol=1e-9)
    np.testing.assert_allclose(ours.running_var, theirs.running_var, rtol=1e-9)


def test_class_weight_by_label_moves_the_boundary():
    x, y = make_classification(300, weights=[0.9], flip_y=0.2, random_state=0)
    y = np.array(["no", "yes"])[y]
    recall = [
        (fitted(x, y, class_weight=w).predict(x[y == "yes"]) == "yes").mean()
        for w in (None, {"no": 1.0, "yes": 20.0}, "balanced")
    ]
    assert recall[0] < recall[1] and recall[0] < recall[2]


@pytest.mark.parametrize("weight", [{"setosa": 0.0, "versicolor": 1.0, "virginica": 1.0}, {"setosa": -1.0}])
def test_class_weights_must_be_above_0(weight):
    with pytest.raises(ValueError, match="class_weight|classes"):
        fitted(class_weight=weight)


# validation, early stopping


def test_an_explicit_validation_set_is_followed():
    model = MinibnClassifier(**SMALL)
    model.fit(IRIS[::2], NAMES[::2], X_val=IRIS[1::2], y_val=NAMES[1::2])
    assert len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_ == 20
    assert model.validation_scores_[-1] == model.score(IRIS[1::2], NAMES[1::2])
    proba = model.predict_proba(IRIS[1::2])[np.arange(75), KINDS[1::2]]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(proba).mean())


def test_validation_weights_count():
    weight = np.arange(75.0)
    model = MinibnClassifier(**SMALL)
    model.fit(IRIS[::2], NAMES[::2], X_val=IRIS[1::2], y_val=NAMES[1::2], sample_weight_val=weight)
    assert model.validation_scores_[-1] == pytest.approx(model.score(IRIS[1::2], NAMES[1::2], weight))


@pytest.mark.parametrize("given", [False, True])
def test_early_stopping_keeps_the_best_network(given):
    held = {"X_val": IRIS[1::2], "y_val": NAMES[1::2]} if given else {}
    model = MinibnClassifier(**SMALL | {"max_iter": 300, "early_stopping": True})
    model.fit(IRIS[::2], NAMES[::2], **held)
    assert model.n_iter_ < 300
    assert model.best_validation_score_ == max(model.validation_scores_)
    if given:
        assert model.score(**{"X": IRIS[1::2], "y": NAMES[1::2]}) == model.best_validation_score_


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": IRIS}, "belong together"),
        ({"X_val": IRIS[:1], "y_val": NAMES[:1]}, "validation set is too small"),
        ({"X_val": IRIS[:2], "y_val": ["rose", "setosa"]}, "rose"),
        ({"sample_weight": np.eye(1, 150)[0]}, "batch_norm=True needs at least 2 rows"),
    ],
)
def test_bad_arguments_of_fit(arguments, message):
    with pytest.raises(MinibnError, match=message):
        MinibnClassifier(**SMALL).fit(IRIS, NAMES, **arguments)


# one fit and many calls


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fits_equal_one_fit(solver, batch_norm):
    """Also where the estimator is stored and loaded in between."""
    options = SMALL | {"solver": solver, "batch_norm": batch_norm, "batch_size": 40, "shuffle": False}
    partly = MinibnClassifier(**options)
    for call in range(20):
        partly.partial_fit(IRIS, NAMES, classes=np.unique(NAMES))
        if call % 7 == 3:
            partly = pickle.loads(pickle.dumps(partly))
    assert largest_difference(partly, MinibnClassifier(**options).fit(IRIS, NAMES)) == 0


@pytest.mark.parametrize("batch_size", [50, 40, 149])
def test_epochs_played_at_once_equal_epochs_one_by_one(batch_size):
    """A validation set makes a fit look after every epoch; it must change nothing."""
    at_once = fitted(batch_size=batch_size)
    looked = MinibnClassifier(**SMALL | {"batch_size": batch_size}).fit(IRIS, NAMES, X_val=IRIS, y_val=NAMES)
    assert largest_difference(at_once, looked) == 0
    assert at_once.loss_curve_ == pytest.approx(looked.loss_curve_, rel=1e-12)


def test_training_stops_at_the_same_epoch_at_once_or_one_by_one():
    options = {"batch_size": 50, "max_iter": 500, "tol": 1e-2, "n_iter_no_change": 3}
    at_once = fitted(**options)
    looked = MinibnClassifier(**SMALL | options).fit(IRIS, NAMES, X_val=IRIS, y_val=NAMES)
    assert at_once.n_iter_ == looked.n_iter_ < 500
    assert largest_difference(at_once, looked) == 0


def test_warm_start_goes_on():
    twice = MinibnClassifier(**SMALL, warm_start=True).fit(IRIS, NAMES)
    first = twice.loss_
    assert twice.fit(IRIS, NAMES).loss_ < first
    assert len(twice.loss_curve_) == 40


def test_partial_fit_needs_all_classes_first():
    with pytest.raises(ValueError, match="classes must be passed"):
        MinibnClassifier().partial_fit(IRIS, NAMES)
    with pytest.raises(ValueError, match="virginica"):
        MinibnClassifier().partial_fit(IRIS, NAMES, classes=["setosa", "versicolor"])
    with pytest.raises(ValueError, match="needs all rows at once"):
        MinibnClassifier(class_weight="balanced").partial_fit(IRIS, NAMES, classes=np.unique(NAMES))


@pytest.mark.parametrize("sizes", [(5, 0), (5, 2.5), -1])
def test_units_are_whole_and_positive(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        fitted(hidden_layer_sizes=sizes)


def test_without_hidden_layers_it_is_logistic_regression():
    assert fitted(hidden_layer_sizes=(), max_iter=300).score(IRIS, NAMES) > 0.9


def test_a_diverged_network_is_an_error():
    with warnings.catch_warnings(), pytest.raises(ValueError, match="non-finite.*epoch"):
        warnings.simplefilter("ignore")
        MinibnRegressor(solver="sgd", learning_rate_init=1e9, batch_norm=False).fit(*DIABETES)


# in company


def test_pickles_hold_no_rows_and_no_addresses():
    model = fitted(np.tile(IRIS, (100, 1)), np.tile(NAMES, 100), max_iter=1)
    assert len(pickle.dumps(model)) < 30_000 < IRIS.nbytes * 100
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(IRIS), model.predict(IRIS))


def test_grid_search_in_a_pipeline_with_threads():
    import joblib

    line = make_pipeline(StandardScaler(), MinibnClassifier(**SMALL))
    search = GridSearchCV(line, {"minibnclassifier__batch_norm": [True, False]}, cv=3, n_jobs=2)
    with joblib.parallel_backend("threading"):
        search.fit(IRIS, NAMES)
    alone = cross_val_score(clone(search.best_estimator_), IRIS, NAMES, cv=3).mean()
    assert alone == pytest.approx(search.best_score_) and alone > 0.7


@pytest.mark.subprocess
def test_importing_the_estimators_loads_no_compiler(python):
    out = python(
        "import sys, minibn.sklearn\nprint([m for m in ('numba', 'matplotlib', 'scipy.stats') if m in sys.modules])"
    )
    assert "numba" not in out and "matplotlib" not in out
