"""Models read into memory maps that nobody may write to: they predict from the file, and train on memory of their own."""

import numpy as np
import pytest
from cases import needs_jit

from minibn import nn
from minibn.train import SGD, Adam, fit, recalibrate
from minibn.train.step import step

joblib = pytest.importorskip("joblib", reason="joblib is not installed")

X = np.random.default_rng(0).normal(2, 3, (40, 4)).astype(np.float32)
Y = np.arange(40) % 3
LOSS = nn.SoftmaxCrossEntropy()


def mapped(value, folder):
    """Write a value and read it back as maps, and once more as ordinary arrays."""
    joblib.dump(value, folder / "kept")
    return joblib.load(folder / "kept", mmap_mode="r"), joblib.load(folder / "kept")


def network():
    model = nn.mlp([4, 6, 3], rng=1)
    fit(model, X, Y, epochs=1)
    return model


CHANGES = {
    "fit": lambda model: fit(model, X, Y, epochs=2),
    "fit eagerly": lambda model: fit(model, X, Y, epochs=2, engine="eager"),
    "step": lambda model: step(model, LOSS, SGD(0.1, momentum=0.9), X, Y),
    "call in training": lambda model: model(X, training=True),
    "recalibrate": lambda model: recalibrate(model, X),
    "load_state_dict": lambda model: model.load_state_dict(nn.mlp([4, 6, 3], rng=2).state_dict()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_that_of_ordinary_memory(change, tmp_path):
    found, wanted = mapped(network(), tmp_path)
    assert not found.layers[0].weight.data.flags.writeable
    before = (tmp_path / "kept").read_bytes()
    CHANGES[change](found)
    CHANGES[change](wanted)
    for name, value in wanted.state_dict().items():
        np.testing.assert_array_equal(found.state_dict()[name], value)
    assert (tmp_path / "kept").read_bytes() == before


@pytest.mark.parametrize("engine", ["program", "eager"])
@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.1, momentum=0.9)])
def test_so_is_an_optimizer(optimizer, engine, tmp_path):
    model = network()
    optimizer.reset()
    step(model, LOSS, optimizer, X, Y)
    found, wanted = mapped((model, optimizer), tmp_path)
    for part, its_optimizer in (found, wanted):
        fit(part, X, Y, optimizer=its_optimizer, epochs=1, engine=engine)
    np.testing.assert_array_equal(found[0].logits(X), wanted[0].logits(X))


def test_prediction_copies_nothing(tmp_path):
    found, wanted = mapped(network().eval(), tmp_path)
    np.testing.assert_array_equal(found.predict_proba(X), wanted.predict_proba(X))
    assert not found.layers[0].weight.data.flags.writeable
    assert not found.layers[1].running_var.flags.writeable


@needs_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("estimator", ["MinibnClassifier", "MinibnRegressor"])
@pytest.mark.parametrize("call", ["partial_fit", "fit"])
def test_an_estimator_goes_on_training(call, estimator, solver, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from minibn import sklearn

    model = getattr(sklearn, estimator)(
        5, max_iter=2, solver=solver, warm_start=True, random_state=0, precise_stats=True
    )
    found, wanted = mapped(model.fit(X, Y), tmp_path)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))
    for part in (found, wanted):
        getattr(part, call)(X, Y)
        getattr(part, call)(X, Y)
    for ours, theirs in zip(found.coefs_, wanted.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(found.predict(X), wanted.predict(X))
