"""Losses on CUDA: where they are written, and what they do at the edges."""

import device
import numpy as np
import oracles
import pytest

from minibn.errors import DtypeError, ShapeError
from minibn.kernels import cuda


def draw(rows, classes, scale=1.0):
    rng = np.random.default_rng([rows, classes])
    scores = (scale * rng.standard_normal((rows, classes))).astype(np.float32)
    return scores, rng.integers(0, classes, rows)


@pytest.mark.parametrize("rows", [1, 3, 70, 200])
@pytest.mark.parametrize("classes", [1, 2, 7, 40])
def test_the_loss_stays_on_the_device_where_it_is_given_a_place(rows, classes):
    scores, labels = draw(rows, classes)
    loss, found = device.poisoned(1), device.poisoned(rows, classes)
    arguments = cuda.to_device(scores), cuda.to_device(labels), None, found
    assert cuda.softmax_cross_entropy_forward(*arguments, loss=loss) is None
    expected, softmax = oracles.softmax_cross_entropy_forward(scores, labels)
    assert loss.copy_to_host()[0] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.abs(found.copy_to_host() - softmax).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64])
def test_labels_of_any_integer_type(dtype):
    scores, labels = draw(9, 4)
    found = device.poisoned(9, 4)
    ours = cuda.softmax_cross_entropy_forward(
        cuda.to_device(scores), cuda.to_device(labels.astype(dtype)), None, found
    )
    assert ours == pytest.approx(oracles.softmax_cross_entropy_forward(scores, labels)[0], rel=1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_stays_in_its_row_and_reaches_the_loss():
    scores, labels = draw(9, 4)
    scores[3, 1] = np.nan
    found = device.poisoned(9, 4)
    ours = cuda.softmax_cross_entropy_forward(cuda.to_device(scores), cuda.to_device(labels), None, found)
    assert np.isnan(ours)
    assert np.isnan(found.copy_to_host()).all(axis=1).tolist() == [i == 3 for i in range(9)]


def test_labels_that_are_no_integers():
    scores, labels = draw(9, 4)
    labels = cuda.to_device(labels.astype(np.float32))
    with pytest.raises(DtypeError, match="labels must be integers, got float32; use labels.astype"):
        cuda.softmax_cross_entropy_forward(cuda.to_device(scores), labels, None, device.poisoned(9, 4))


def test_arrays_of_different_sizes():
    given = cuda.to_device(np.ones(4, np.float32)), cuda.to_device(np.ones(5, np.float32))
    with pytest.raises(ShapeError, match="the same number of entries, got {'prediction': 4, 'target': 5}"):
        cuda.squared_error_forward(*given)
    with pytest.raises(ShapeError, match="the same number of entries"):
        cuda.sgd_update_inplace(*given, None, 0.1, 0.0, False, 0.0)
