"""Softmax of few and of many classes, which take different ways through the kernel."""

import numpy as np
import pytest

from minibn.kernels import softmax_cross_entropy_backward, softmax_cross_entropy_forward

CLASSES = [1, 2, 31, 32, 33, 48, 100, 257]


def forward(logits, labels):
    probabilities = np.empty_like(logits)
    return softmax_cross_entropy_forward(logits, labels, None, probabilities), probabilities


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_probabilities_and_gradient_are_right(classes, dtype):
    rng = np.random.default_rng(classes)
    logits = (rng.standard_normal((70, classes)) * 20 + 1e4).astype(dtype)  # without a shift they overflow
    labels = rng.integers(classes, size=70)
    exact = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    share = exact / exact.sum(axis=1, keepdims=True)
    loss, probabilities = forward(logits, labels)
    np.testing.assert_allclose(probabilities, share, rtol=20 * np.finfo(dtype).eps, atol=1e-30)
    own = logits[np.arange(70), labels].astype(np.float64)
    logs = logits.max(axis=1) + np.log(exact.sum(axis=1)) - own
    assert loss == pytest.approx(logs.mean(), rel=1e-6, abs=1e-12)
    gradient = np.empty_like(logits)
    softmax_cross_entropy_backward(probabilities, labels, None, gradient)
    expected = (probabilities - np.eye(classes)[labels]) / 70
    np.testing.assert_allclose(gradient, expected, atol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("classes", [3, 40])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_nan_and_infinity_stay_visible_in_their_row(classes, place):
    logits, labels = np.zeros((5, classes), np.float32), np.zeros(5, np.int64)
    logits[2, place], logits[3, place], logits[4, place] = np.nan, np.inf, -np.inf
    loss, probabilities = forward(logits, labels)
    assert np.isnan(loss) and np.isnan(probabilities[2]).all() and np.isnan(probabilities[3, place])
    assert probabilities[4, place] == 0 and probabilities[4].sum() == pytest.approx(1)
    np.testing.assert_allclose(probabilities[:2], 1 / classes, rtol=1e-6)


def test_a_row_has_the_same_bits_wherever_it_stands():
    logits = np.random.default_rng(0).standard_normal((67, 45)).astype(np.float32)
    labels = np.zeros(67, np.int64)
    alone = [forward(logits[i : i + 1], labels[:1])[1] for i in range(67)]
    np.testing.assert_array_equal(forward(logits, labels)[1], np.concatenate(alone))
