"""Exact running statistics, layer by layer."""

import numpy as np
import pytest

from minibn.errors import ArgumentError, BatchSizeError, DataError, ShapeError
from minibn.nn import BatchNorm, Dense, Sequential, mlp
from minibn.train import SGD, fit, recalibrate


def network(**options):
    return mlp([4, 6, 5, 3], rng=1, dtype=np.float64, **options)


def rows(n=300, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 4)) * [1, 5, 0.1, 2] + 3


def expected(model, x, ddof=1):
    """Mean and variance before each batch norm, in one go over all rows, in plain NumPy."""
    found, x = [], np.asarray(x, np.float64)
    for layer in model.layers:
        if isinstance(layer, Dense):
            x = x @ layer.weight.data + (0 if layer.bias is None else layer.bias.data)
        elif isinstance(layer, BatchNorm):
            mean, var = x.mean(axis=0), x.var(axis=0, ddof=ddof)
            found.append((mean, var))
            x = (x - mean) / np.sqrt(var + layer.eps) * layer.gamma.data + layer.beta.data
        else:
            x = np.maximum(x, 0)
    return found


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, BatchNorm)]


@pytest.mark.parametrize("n", [2, 300, 1024, 2500])
def test_statistics_are_those_of_all_rows_through_new_statistics(n):
    model, x = network(), rows(n)
    recalibrate(model, x)
    for layer, (mean, var) in zip(norms(model), expected(model, x), strict=True):
        np.testing.assert_allclose(layer.running_mean, mean, rtol=0, atol=1e-10)
        np.testing.assert_allclose(layer.running_var, var, rtol=2e-5)  # the running one normalises, unbiased


def test_the_first_layer_is_exact():
    model, x = network(), rows(2500) + 1e6
    recalibrate(model, x)
    mean, var = expected(model, x)[0]
    np.testing.assert_allclose(norms(model)[0].running_mean, mean, rtol=1e-13)
    np.testing.assert_allclose(norms(model)[0].running_var, var, rtol=1e-7)


def test_a_layer_with_biased_variance_gets_a_biased_one():
    model, x = (
        Sequential(BatchNorm(4, running_var="biased", dtype=np.float64), Dense(4, 2, dtype=np.float64)),
        rows(5),
    )
    recalibrate(model, x)
    np.testing.assert_allclose(model.layers[0].running_var, x.var(axis=0), rtol=1e-12)


def test_the_report_says_what_changed():
    model, x = network(), rows()
    first, second = recalibrate(model, x)
    assert (first.layer, second.layer) == ("1.BatchNorm", "4.BatchNorm")
    np.testing.assert_array_equal(first.old_mean, np.zeros(6))
    np.testing.assert_allclose(first.mean_shift, np.abs(first.new_mean) / np.sqrt(first.new_var))
    np.testing.assert_allclose(second.var_ratio, 1 / second.new_var)
    again = recalibrate(model, x)[0]
    assert not again.mean_shift.any() and (again.var_ratio == 1).all()


def test_frozen_layers_weights_and_counts_stay():
    model, x = network(), rows()
    norms(model)[0].freeze()
    before = model.state_dict()
    (found,) = recalibrate(model, x)
    after = model.state_dict()
    assert found.layer == "4.BatchNorm"
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"4.running_mean", "4.running_var"}


def test_a_recalibrated_model_goes_on_training_in_its_program():
    x, y = rows(), np.arange(300) % 3
    model = network()
    fit(model, x, y, optimizer=SGD(0.01), epochs=1)
    home = norms(model)[0].running_mean
    recalibrate(model, x)
    assert norms(model)[0].running_mean is home
    fit(model, x, y, optimizer=SGD(0.01), epochs=1)


def test_poisoned_statistics_are_healed():
    model, x = network(), rows()
    for layer in norms(model):
        layer.running_mean[:] = layer.running_var[:] = np.nan
    recalibrate(model, x)
    assert np.isfinite(model.logits(x)).all()


def test_a_model_without_batch_norm_has_nothing_to_change():
    assert recalibrate(network(bn=False), rows()) == []


def nan_weights(model):
    model.layers[3].weight.data[0, 0] = np.nan
    return model


@pytest.mark.parametrize(
    ("change", "x", "error", "words"),
    [(nan_weights, rows(), ArgumentError, "what reaches 4.BatchNorm is not finite"),
     (lambda model: model, rows(1), BatchSizeError, "1.BatchNorm needs at least 2 rows"),
     (lambda model: model, rows()[:, :3], ShapeError, "needs x of shape"),
     (lambda model: model, rows()[0], ShapeError, "x must have shape"),
     (lambda model: model, rows() * np.nan, DataError, "the value is missing")],
)  # fmt: skip
def test_bad_input_is_refused_and_changes_nothing(change, x, error, words):
    model = change(network())
    before = model.state_dict()
    with pytest.raises(error, match=words):
        recalibrate(model, x)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
