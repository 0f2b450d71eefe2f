"""The measured noise of the mean of a batch."""

import re

import numpy as np
import pytest
from patients import rows, well

from minibn.lab import doctor
from minibn.lab.doctor.running import batch_mean_noise


def found(**changes):
    told = well(**changes)
    return doctor(told.pop("model"), told.pop("data"), **told)


def by_hand(model, x, order, size):
    """Scatter of batch means of the first layer's outputs, one batch and one feature at a time."""
    dense = model.layers[0]
    before = x[order].astype(float) @ dense.weight.data + (0 if dense.bias is None else dense.bias.data)
    means = [before[i : i + size].mean(axis=0) for i in range(0, len(x) - size + 1, size)]
    squares = [
        np.var([mean[k] for mean in means], ddof=1) / np.var(before[:, k], ddof=1)
        for k in range(before.shape[1])
    ]
    return np.sqrt(np.mean(squares))


@pytest.mark.parametrize("size", [2, 4, 8])
def test_it_is_that_of_the_batches(size):
    figures = found(batch_size=size).figures
    order = figures._generator().permutation(240)
    assert figures.batch_mean_noise == pytest.approx(by_hand(figures.model, rows()[0], order, size), rel=1e-5)
    assert figures.batch_mean_noise == pytest.approx(size**-0.5, rel=0.2)


def test_repeated_rows_are_noisier_than_the_formula():
    x, y = (np.repeat(part[:60], 4, axis=0) for part in rows()[:2])
    figures = found(batch_size=4, train=(x, y), history=None).figures
    noise = batch_mean_noise(figures.model, figures.norms[0], x, np.arange(240), 4)
    assert noise == pytest.approx(1, rel=0.02)


def test_it_stands_beside_the_formula():
    finding = next(item for item in found(batch_size=2).faults if item.name == "batches too small")
    assert "0.71 standard deviations, 1 / sqrt(2)" in finding.figure
    measured = float(re.search(r"measured before 1\.BatchNorm: ([\d.]+)", finding.figure)[1])
    assert measured == pytest.approx(0.71, abs=0.1)


def test_a_single_batch_has_no_noise_to_measure():
    x, y = rows()[:2]
    assert found(batch_size=8, train=(x[:12], y[:12]), history=None).figures.batch_mean_noise is None
