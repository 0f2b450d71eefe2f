"""Layers of the lab against naive formulas, chunk by chunk."""

import numpy as np
import oracles
import pytest

from minibn.autograd import Tensor, gradcheck
from minibn.errors import ArgumentError, BatchSizeError
from minibn.lab import StepTrainer
from minibn.lab.layers.ghost import GhostBatchNorm, with_ghost_batches
from minibn.nn import BatchNorm, mlp
from minibn.train import SGD

EPS = 1e-5


def batch(rows, features=3, seed=0):
    """Rows far from zero, scales apart."""
    rng = np.random.default_rng([seed, rows])
    return rng.standard_normal((rows, features)) * [1, 10, 0.1] + [5, -3, 0]


def ghost(size, **options):
    layer = GhostBatchNorm(3, size, eps=EPS, dtype=np.float64, **options)
    layer.gamma.data[...], layer.beta.data[...] = [0.5, 2, -1], [1, 0, 3]
    return layer


CUTS = [
    (12, 4, [4, 4, 4]),
    (10, 4, [4, 6]),
    (5, 4, [5]),
    (3, 4, [3]),
    (4, 2, [2, 2]),
    (9, 2, [2, 2, 2, 3]),
]


@pytest.mark.parametrize(("rows", "size", "chunks"), CUTS)
def test_each_chunk_is_normalised_by_itself(rows, size, chunks):
    layer, x = ghost(size), batch(rows)
    y, start, mean, var = layer(x, training=True).data, 0, np.zeros(3), np.ones(3)
    for length in chunks:
        own = slice(start, start + length)
        expected, m, v = oracles.batch_norm_forward(x[own], layer.gamma.data, layer.beta.data, EPS)
        np.testing.assert_allclose(y[own], expected, atol=1e-11)
        mean, var = oracles.update_running_stats(mean, var, m, v, length, layer.momentum)
        start += length
    assert start == rows
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked == len(chunks)


@pytest.mark.parametrize(("rows", "size"), [(12, 4), (10, 4), (7, 3)])
def test_gradients(rows, size):
    layer = ghost(size)
    inputs = [Tensor(batch(rows), requires_grad=True), layer.gamma, layer.beta]
    assert gradcheck(lambda x, gamma, beta: layer(x, training=True), inputs)


def test_one_chunk_is_batch_norm():
    whole, plain, x = ghost(8), BatchNorm(3, eps=EPS, dtype=np.float64), batch(8)
    plain.load_state_dict(whole.state_dict())
    np.testing.assert_array_equal(whole(x, training=True).data, plain(x, training=True).data)
    np.testing.assert_array_equal(whole(x, training=False).data, plain(x, training=False).data)


def test_frozen_statistics_stay():
    layer = ghost(4).freeze()
    layer(batch(8), training=True)
    assert layer.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: GhostBatchNorm(3, 1), ArgumentError, "ghost_size must be .*at least 2"),
        (lambda: ghost(4)(batch(1), training=True), BatchSizeError, "at least 2 rows"),
    ],
)
def test_bad_input(make, error, text):
    with pytest.raises(error, match=text):
        make()


def network(size):
    return with_ghost_batches(mlp([3, 5, 2], rng=0, dtype=np.float64), size)


def test_a_network_keeps_its_weights_and_learns():
    plain = mlp([3, 5, 2], rng=0, dtype=np.float64)
    model, x = with_ghost_batches(plain, 8), batch(96)
    np.testing.assert_array_equal(model.layers[0].weight.data, plain.layers[0].weight.data)
    y = (x[:, 0] > 5).astype(np.int64)
    trainer = StepTrainer(model, x, y, optimizer=SGD(0.3), batch_size=24, seed=0, engine="eager")
    before = trainer.accuracy(x, y)
    trainer.advance(80)
    assert before < 0.8 < 0.9 < trainer.accuracy(x, y)
    assert model.layers[1].num_batches_tracked == 80 * 3


def test_a_program_never_takes_it_for_a_batch_norm():
    x, y = batch(12), np.zeros(12, np.int64)
    with pytest.warns(RuntimeWarning, match="ghost_batch_norm"):
        StepTrainer(network(4), x, y, optimizer=SGD(0.1), batch_size=6, seed=0)
