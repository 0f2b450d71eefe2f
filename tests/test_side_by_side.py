"""Kernels that take rows side by side, and the narrow products behind them."""

import numpy as np
import pytest

from minibn.kernels import dense_backward, softmax_cross_entropy_forward
from minibn.kernels.compile import kernel
from minibn.kernels.cpu.counting import count_right
from minibn.kernels.cpu.row_copies import copy_row

DTYPES = [np.float32, np.float64]


@kernel
def counted(output, labels, first, rows, classes):
    return count_right(output, labels, first * classes, first, rows, classes)


@kernel
def copied(x, row, target, place):
    copy_row(x, row, target, place)


@pytest.mark.parametrize("classes", [1, 2, 3, 31])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_right_are_counted_as_argmax_counts_them(classes, dtype):
    rng = np.random.default_rng(classes)
    output = rng.integers(3, size=(40, classes)).astype(dtype)  # many ties
    output[rng.random(output.shape) < 0.1] = np.nan
    output[rng.random(output.shape) < 0.1] = -np.inf
    labels = rng.integers(classes, size=40)
    right = output.argmax(axis=1) == labels
    for first, rows in [(0, 1), (0, 16), (3, 15), (39, 1), (24, 16)]:
        expected = right[first : first + rows].sum()
        assert counted(output.reshape(-1), labels, first, rows, classes) == expected


@pytest.mark.parametrize("columns", [1, 3, 7, 8, 9, 16, 17, 20, 31, 32, 33, 100])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copied_row_touches_nothing_beside_it(columns, dtype):
    x = np.random.default_rng(0).standard_normal((5, columns)).astype(dtype)
    for row in (0, 4):
        target = np.full(columns + 9, 7, dtype)
        copied(x, row, target, 4)
        np.testing.assert_array_equal(target[4 : 4 + columns], x[row])
        assert (target[:4] == 7).all() and (target[4 + columns :] == 7).all()


@pytest.mark.parametrize("classes", [2, 3, 10, 31])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_of_few_classes_has_the_same_bits_wherever_it_stands(classes, dtype):
    logits = (np.random.default_rng(0).standard_normal((37, classes)) * 9).astype(dtype)
    labels, whole = np.zeros(37, np.int64), np.empty_like(logits)
    softmax_cross_entropy_forward(logits, labels, None, whole)
    for i in (0, 15, 16, 31, 32, 36):
        alone = np.empty_like(logits[:1])
        softmax_cross_entropy_forward(logits[i : i + 1], labels[:1], None, alone)
        np.testing.assert_array_equal(alone[0], whole[i])


@pytest.mark.parametrize("weight", [None, [1.0, 3.0, 0.5]])
def test_loss_of_few_classes_over_many_rows(weight):
    rng = np.random.default_rng(1)
    logits, labels = rng.standard_normal((300, 3)) * 30, rng.integers(3, size=300)
    rows = np.ones(300) if weight is None else np.array(weight)[labels]
    weight = None if weight is None else np.array(weight)
    logs = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(300), labels]
    loss = softmax_cross_entropy_forward(logits, labels, weight, np.empty_like(logits))
    assert loss == pytest.approx((rows * logs).sum() / rows.sum(), rel=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_of_few_classes_are_right_down_to_nothing(dtype):
    gaps = np.concatenate([np.linspace(0, 80, 801), [86.9, 87.1, 200, 707.9, 708.1, 1e4]]).astype(dtype)
    logits = np.stack([np.zeros_like(gaps), -gaps], axis=1)
    probabilities = np.empty_like(logits)
    softmax_cross_entropy_forward(logits, np.zeros(len(gaps), np.int64), None, probabilities)
    power = np.exp(-gaps.astype(np.float64))
    tiny = 2 * np.exp(-87.0) if dtype == np.float32 else 1e-307
    np.testing.assert_allclose(
        probabilities[:, 1], power / (1 + power), rtol=8 * np.finfo(dtype).eps, atol=tiny
    )


@pytest.mark.parametrize("outputs", [1, 3, 4, 5, 10, 33])
@pytest.mark.parametrize("rows", [1, 5, 63, 64, 201])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_narrow_layers(outputs, rows, dtype):
    rng = np.random.default_rng(rows)
    x, dy = (rng.standard_normal((rows, n)).astype(dtype) for n in (21, outputs))
    weight, bias = np.zeros((21, outputs), dtype), np.full(outputs, np.nan, dtype)
    dweight = np.full_like(weight, np.nan)
    dense_backward(dy, x, weight, None, dweight, bias)
    exact = [part.astype(np.float64) for part in (x, dy)]
    atol = 4 * rows * np.finfo(dtype).eps
    np.testing.assert_allclose(dweight, exact[0].T @ exact[1], atol=atol)
    np.testing.assert_allclose(bias, exact[1].sum(axis=0), atol=atol)
