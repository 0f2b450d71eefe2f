"""The tables of the pages "coming from ...": what they say of defaults and conventions, asked of both sides."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

from minibn.interop import from_keras, from_torch
from minibn.nn import BatchNorm, Dense

DOCS = Path(__file__).parents[1] / "docs"
TWO_ROWS = np.array([[1.0], [3.0]], np.float32)  # biased variance 1, unbiased 2


def rows(page):
    """Return the cells of the tables of a page by their first one."""
    lines = (DOCS / page).read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {first.strip("`"): rest for first, *rest in cells}


def test_conventions_of_pytorch():
    torch = pytest.importorskip("torch")
    table = rows("coming-from-pytorch.md")
    theirs, ours = torch.nn.BatchNorm1d(1, momentum=1.0), BatchNorm(1, momentum=1.0)
    theirs(torch.from_numpy(TWO_ROWS)), ours(TWO_ROWS)
    assert theirs.running_var.item() == ours.running_var[0] == 2.0
    assert table["running variance"][0].startswith("unbiased") and "the same" in table["running variance"][1]
    assert (torch.nn.BatchNorm1d(1).momentum, torch.nn.BatchNorm1d(1).eps) == (0.1, 1e-5)
    assert (BatchNorm(1).momentum, BatchNorm(1).eps) == (0.1, 1e-5)
    assert "0.1" in table["momentum` of a batch norm"][0] and "1e-5" in table["eps"][0]
    assert torch.nn.Linear(3, 2).weight.shape == Dense(3, 2).weight.shape[::-1] == (2, 3)
    assert ours.running_mean.dtype == np.float64 and theirs.running_mean.dtype == torch.float32
    assert from_torch(torch.nn.Sequential(theirs), report=None).layers[0].momentum == 1.0


def test_conventions_of_keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    table = rows("coming-from-keras.md")
    layer = keras.layers.BatchNormalization(momentum=0.0)
    layer(TWO_ROWS, training=True)
    assert float(layer.moving_variance[0]) == 1.0 and table["running variance"][0] == "biased"
    usual = keras.layers.BatchNormalization()
    assert (usual.momentum, usual.epsilon) == (0.99, 1e-3)
    assert "0.99" in table["momentum` of a batch norm"][0] and table["epsilon"] == ["1e-3", "`eps`, 1e-5"]
    model = from_keras(keras.Sequential([keras.Input((2,)), usual]), report=None)
    assert model.layers[0].momentum == pytest.approx(0.01)
    assert model.layers[0].variance_kind == "biased"
    alone = keras.ops.convert_to_numpy(usual(TWO_ROWS[:1].repeat(2, 1), training=True))
    assert not alone.any() and table["one row in training"][0].startswith("zeros")


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_arguments_of_scikit_learn(kind):
    """All names with the same defaults, but those that the page says are not there or new."""
    pytest.importorskip("sklearn")
    from sklearn import neural_network

    import minibn.sklearn

    theirs = inspect.signature(getattr(neural_network, f"MLP{kind}")).parameters
    ours = inspect.signature(getattr(minibn.sklearn, f"Minibn{kind}")).parameters
    text = (DOCS / "coming-from-scikit-learn.md").read_text()
    assert all(ours[name].default == theirs[name].default for name in ours.keys() & theirs.keys())
    assert theirs.keys() - ours.keys() <= {"max_fun", "loss"}
    new = ours.keys() - theirs.keys()
    assert len(new) >= 3 and all(f"`{name}" in text for name in new)
    for name in ("solver", "alpha", "batch_size", "tol", "n_iter_no_change", "early_stopping"):
        assert f"`{name}" in text and name in ours
