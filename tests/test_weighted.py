"""Weights of rows in kernels and layers: a row of weight 2 is the row twice, one of weight 0 is not there."""

import numpy as np
import oracles
import pytest
from cases import EPS, FLOATS, JIT, TOLERANCE

from minibn import functional as F
from minibn.autograd import Tensor, batch_norm_weighted, gradcheck, softmax_cross_entropy_weighted
from minibn.errors import BatchSizeError
from minibn.nn import BatchNorm, Dense, ReLU, Sequential, SoftmaxCrossEntropy, mlp
from minibn.nn.layer import Layer
from minibn.train import SGD, step

RNG = np.random.default_rng(5)
COUNTS = np.array([2.0, 0.0, 1.0, 3.0, 0.0, 1.0, 2.0])
TWICE = np.repeat(np.arange(7), COUNTS.astype(int))  # each row as often as its weight says
SHAPES = [(7, 1), (7, 4), (7, 3, 5), (7, 2, 2, 3)] + ([(7, 600), (7, 2, 700)] if JIT else [])


def drawn(shape, dtype, offset=0.0):
    """Return x, gamma and beta."""
    x = (RNG.standard_normal(shape) + offset).astype(dtype)
    return x, RNG.uniform(0.5, 2, shape[1]).astype(dtype), RNG.standard_normal(shape[1]).astype(dtype)


def close(actual, expected, tolerance):
    scale = max(np.abs(expected).max(), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_weight_counts_rows(shape, dtype):
    """Against the plain kernels on repeated rows; the gradients of a row's copies add up to that of the row."""
    x, gamma, beta = drawn(shape, dtype)
    dy = RNG.standard_normal(shape).astype(dtype)
    dy[COUNTS == 0] = 0
    y, mean, var = F.batch_norm_weighted_forward(x, COUNTS, gamma, beta, EPS)
    expected = F.batch_norm_forward(x[TWICE], gamma, beta, EPS)
    close(y[TWICE], expected[0], TOLERANCE[dtype])
    close(mean, expected[1], 1e-12)
    close(var, expected[2], 1e-12)
    dx, dgamma, dbeta = F.batch_norm_weighted_backward(dy, x, COUNTS, gamma, mean, var, EPS)
    each = (dy.T / np.maximum(COUNTS, 1)).T[TWICE].astype(dtype)
    copies, *others = F.batch_norm_backward(each, x[TWICE], gamma, *expected[1:], EPS)
    added = np.zeros(shape)
    np.add.at(added, TWICE, copies)
    close(dx, added, 5 * TOLERANCE[dtype])
    for ours, theirs in zip((dgamma, dbeta), others, strict=True):
        close(ours, theirs, 5 * TOLERANCE[dtype])


@pytest.mark.parametrize("mean", [0, 1e2, 1e4, 1e6, 1e7])
def test_float32_is_right_to_a_millionth_at_any_mean(mean):
    x = (RNG.standard_normal((300, 4)) + mean).astype(np.float32)
    weight, one, zero = RNG.uniform(0, 3, 300), np.ones(4, np.float32), np.zeros(4, np.float32)
    y, *statistics = F.batch_norm_weighted_forward(x, weight, one, zero, EPS)
    expected, *exact = oracles.batch_norm_weighted_forward(x.astype(np.longdouble), weight, one, zero, EPS)
    assert (np.abs(y - expected) / (1 + np.abs(expected))).max() < 1e-6
    np.testing.assert_allclose(statistics, exact, rtol=1e-9)


@pytest.mark.parametrize("value", [1e30, np.inf, np.nan])
def test_what_a_row_without_weight_holds_changes_nothing(value):
    x, gamma, beta = drawn((7, 4), np.float32)
    other = np.where(COUNTS[:, None] == 0, np.float32(value), x)
    upstream = RNG.standard_normal((7, 4)).astype(np.float32)
    upstream[COUNTS == 0] = 0
    results = []
    for rows in (x, other):
        with np.errstate(all="ignore"):
            y, mean, var = F.batch_norm_weighted_forward(rows, COUNTS, gamma, beta, EPS)
            back = F.batch_norm_weighted_backward(upstream, rows, COUNTS, gamma, mean, var, EPS)
        results.append((y[COUNTS > 0], mean, var, *back))
    for ours, theirs in zip(*results, strict=True):
        assert np.array_equal(ours, theirs)
    assert (back[0][COUNTS == 0] == 0).all()


@pytest.mark.parametrize("value", [1e30, np.nan])
def test_losses_of_a_row_without_weight(value):
    logits, labels = RNG.standard_normal((7, 3)), np.arange(7) % 3
    found = []
    for rows in (logits, np.where(COUNTS[:, None] == 0, value, logits)):
        loss, probabilities = F.softmax_cross_entropy_weighted_forward(rows, labels, COUNTS)
        gradient = F.softmax_cross_entropy_weighted_backward(probabilities, labels, COUNTS)
        squares = F.squared_error_weighted_forward(rows, logits + 1, COUNTS)
        slopes = F.squared_error_weighted_backward(rows, logits + 1, COUNTS)
        found.append((loss, gradient, squares, slopes))
    for ours, theirs in zip(*found, strict=True):
        assert np.array_equal(ours, theirs)
    assert (gradient[COUNTS == 0] == 0).all()
    assert (slopes[COUNTS == 0] == 0).all()


def test_losses_count_rows_too():
    logits, labels, target = RNG.standard_normal((7, 3)), np.arange(7) % 3, RNG.standard_normal((7, 3))
    plain = F.softmax_cross_entropy_forward(logits[TWICE], labels[TWICE])[0]
    assert F.softmax_cross_entropy_weighted_forward(logits, labels, COUNTS)[0] == pytest.approx(
        plain, rel=1e-14
    )
    plain = F.squared_error_forward(logits[TWICE], target[TWICE])
    assert F.squared_error_weighted_forward(logits, target, COUNTS) == pytest.approx(plain, rel=1e-14)


@pytest.mark.parametrize("factor", [1e-300, 1e-9, 1e9])
def test_the_unit_of_weights_does_not_matter(factor):
    x, gamma, beta = drawn((7, 4), np.float64)
    expected = F.batch_norm_weighted_forward(x, COUNTS, gamma, beta, EPS)
    scaled = F.batch_norm_weighted_forward(x, COUNTS * factor, gamma, beta, EPS)
    for ours, theirs in zip(scaled, expected, strict=True):
        close(ours, theirs, 1e-14)


@pytest.mark.parametrize("value", [0.1, 1e30, -3e-30])
def test_a_constant_feature_gives_exactly_beta(value):
    x, gamma, beta = drawn((7, 4), np.float32)
    x[COUNTS > 0] = value
    weight = COUNTS / 3
    y, mean, var = F.batch_norm_weighted_forward(x, weight, gamma, beta, 0.0)
    assert (mean == np.float32(value)).all()
    assert (var == 0).all()
    assert (y[COUNTS > 0] == beta).all()
    dx, dgamma, _ = F.batch_norm_weighted_backward(x, x, weight, gamma, mean, var, 0.0)
    assert (dx == 0).all()
    assert (dgamma == 0).all()


@pytest.mark.parametrize("scale", [1e-200, 1e160])
def test_squares_outside_of_float64_are_visible(scale):
    x = RNG.standard_normal((7, 2)) * [scale, 1.0]
    with np.errstate(all="ignore"):
        y, _, _ = F.batch_norm_weighted_forward(x, COUNTS, np.ones(2), np.zeros(2), 0.0)
    assert np.isnan(y[:, 0]).all()
    assert np.isfinite(y[:, 1]).all()


def test_channels_last_repeats_the_weights():
    x, gamma, beta = drawn((7, 3, 2, 2), np.float64)
    dy = RNG.standard_normal(x.shape)
    first = F.batch_norm_weighted_forward(x, COUNTS, gamma, beta)
    last = F.batch_norm_weighted_forward(np.moveaxis(x, 1, -1), COUNTS, gamma, beta, channel_axis=-1)
    np.testing.assert_allclose(np.moveaxis(last[0], -1, 1), first[0], atol=1e-13)
    back = F.batch_norm_weighted_backward(dy, x, COUNTS, gamma, *first[1:])
    other = F.batch_norm_weighted_backward(
        np.moveaxis(dy, 1, -1), np.moveaxis(x, 1, -1), COUNTS, gamma, *last[1:], channel_axis=-1
    )
    np.testing.assert_allclose(np.moveaxis(other[0], -1, 1), back[0], atol=1e-13)
    np.testing.assert_allclose(other[1], back[1], atol=1e-13)


@pytest.mark.parametrize("eps", [EPS, 0.0])
@pytest.mark.parametrize("shape", [(7, 3), (7, 2, 3)])
def test_gradient_by_differences(shape, eps):
    """Under a random upstream gradient, of rows of weight 0 too: their outputs depend on the statistics."""
    tensors = [Tensor(array, requires_grad=True) for array in drawn(shape, np.float64)]
    assert gradcheck(lambda x, *affine: batch_norm_weighted(x, COUNTS, *affine, eps)[0], tensors)


def test_gradient_of_a_weighted_network():
    x, first, last = (RNG.standard_normal(shape) for shape in ((7, 5), (5, 4), (4, 3)))
    gamma, beta = RNG.uniform(0.5, 2, 4), RNG.standard_normal(4)
    labels, per_class = np.arange(7) % 3, np.array([1.0, 0.5, 2.0])

    def loss(x, first, gamma, beta, last):
        hidden = batch_norm_weighted(x @ first, COUNTS, gamma, beta)[0]
        return softmax_cross_entropy_weighted(hidden @ last, labels, COUNTS, per_class)

    arrays = x, first, gamma, beta, last
    assert gradcheck(loss, [Tensor(array, requires_grad=True) for array in arrays])


# layers


@pytest.mark.parametrize("kind", ["unbiased", "biased"])
def test_running_statistics_of_a_layer_count_rows(kind):
    x, *_ = drawn((7, 4), np.float32)
    weighted, plain = BatchNorm(4, running_var=kind), BatchNorm(4, running_var=kind)
    weighted(x, sample_weight=COUNTS)
    plain(x[TWICE])
    np.testing.assert_allclose(weighted.running_mean, plain.running_mean, rtol=1e-13)
    np.testing.assert_allclose(weighted.running_var, plain.running_var, rtol=1e-13)
    assert weighted.num_batches_tracked == 1


@pytest.mark.parametrize(("total", "factor"), [(0.5, 1.0), (1.0, 1.0), (1.5, 1.0), (2.0, 2.0), (8.0, 8 / 7)])
def test_the_unbiased_variance_needs_a_sum_of_two(total, factor):
    x, layer = drawn((8, 4), np.float64)[0], BatchNorm(4, momentum=1.0, dtype=np.float64)
    layer(x, sample_weight=np.full(8, total / 8))
    np.testing.assert_allclose(layer.running_var, x.var(axis=0) * factor, rtol=1e-12)


def test_places_of_a_row_share_its_weight():
    x = drawn((7, 4, 3), np.float64)[0]
    weighted, plain = BatchNorm(4, dtype=np.float64), BatchNorm(4, dtype=np.float64)
    weighted(x, sample_weight=COUNTS)
    plain(x[TWICE])
    np.testing.assert_allclose(weighted.running_var, plain.running_var, rtol=1e-13)


def test_one_row_of_weight_has_no_variance():
    with pytest.raises(BatchSizeError, match="2 rows of positive weight in training, got 1"):
        BatchNorm(4)(drawn((7, 4), np.float32)[0], sample_weight=np.eye(7)[2] * 5)


def test_evaluation_and_frozen_layers_take_no_weights():
    x, layer = drawn((7, 4), np.float32)[0], BatchNorm(4)
    plain = layer(x, training=False).data
    assert np.array_equal(layer(x, training=False, sample_weight=COUNTS).data, plain)
    assert np.array_equal(layer.freeze()(x, training=True, sample_weight=COUNTS).data, plain)


class Recorder(Layer):
    """Notes the weights it is given."""

    def __init__(self, takes):
        self.takes_sample_weight, self.seen = takes, []

    def __call__(self, x, training=None, **weights):
        self.seen.append(weights)
        return x


def test_a_network_hands_weights_to_the_layers_that_take_them():
    takes, takes_not = Recorder(True), Recorder(False)
    model = Sequential(Dense(4, 3), takes, ReLU(), takes_not)
    x = drawn((7, 4), np.float32)[0]
    model(x, training=True, sample_weight=COUNTS)
    model(x, training=True)
    model.trace(x, training=True, sample_weight=COUNTS)
    assert takes.seen == [{"sample_weight": COUNTS}, {}, {"sample_weight": COUNTS}]
    assert takes_not.seen == [{}, {}, {}]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_step_counts_rows(dtype):
    """Loss, gradients and statistics of one batch of all rows, to rounding; and all-ones equal no weights."""
    x, labels = RNG.standard_normal((7, 5)), np.arange(7) % 3
    for (rows, weight), other in (((slice(None), COUNTS), TWICE), ((slice(None), np.ones(7)), slice(None))):
        models = [mlp([5, 6, 4, 3], bn=True, rng=0, dtype=dtype) for _ in range(2)]
        loss = SoftmaxCrossEntropy([1.0, 0.5, 2.0])
        ours = step(models[0], loss, SGD(0.1), x[rows], labels[rows], weight)
        theirs = step(models[1], loss, SGD(0.1), x[other], labels[other])
        assert ours.loss == pytest.approx(theirs.loss, rel=TOLERANCE[dtype])
        assert ours.weight == pytest.approx(theirs.weight)
        assert ours.correct == theirs.correct
        state, expected = models[0].state_dict(), models[1].state_dict()
        for name in state:
            close(state[name], expected[name], TOLERANCE[dtype])
