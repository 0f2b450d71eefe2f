"""Folded batch norms: the same function, for every order of layers."""

import numpy as np
import pytest

from minibn import nn
from minibn.errors import ArgumentError, DtypeError
from minibn.interop import fold_batch_norm

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def dense(inputs, outputs, dtype, **options):
    return nn.Dense(inputs, outputs, rng=inputs + 10 * outputs, dtype=dtype, **options)


def norm(features, dtype, **options):
    """Return a batch norm whose every array differs from the neutral one."""
    rng = np.random.default_rng(features)
    layer = nn.BatchNorm(features, dtype=dtype, **options)
    layer.gamma.data[...] = rng.normal(1, 1, features) * layer.affine + (not layer.affine)
    layer.beta.data[...] = rng.normal(0, 2, features) * layer.affine
    layer.running_mean[...], layer.running_var[...] = (
        rng.normal(0, 3, features),
        rng.uniform(0.1, 9, features),
    )
    return layer


def biased(layer):
    layer.bias.data[...] = np.linspace(-1, 1, layer.bias.shape[0])
    return layer


ORDERS = {
    "dense, norm": (lambda d: [dense(4, 5, d, bias=False), norm(5, d), nn.ReLU(), dense(5, 3, d)], 0),
    "biased dense, norm": (lambda d: [biased(dense(4, 5, d)), norm(5, d), nn.ReLU(), dense(5, 3, d)], 0),
    "norm, dense": (lambda d: [norm(4, d), biased(dense(4, 3, d)), nn.Tanh()], 0),
    "relu, norm, dense": (lambda d: [dense(4, 5, d), nn.ReLU(), norm(5, d), dense(5, 3, d, bias=False)], 0),
    "dense, norm, dense": (lambda d: [dense(4, 5, d), norm(5, d), dense(5, 3, d)], 0),
    "norm, dense, norm": (lambda d: [norm(4, d), dense(4, 5, d), norm(5, d)], 0),
    "two norms behind": (lambda d: [dense(4, 5, d), norm(5, d), norm(5, d, eps=0.3)], 0),
    "two norms before": (lambda d: [norm(4, d, eps=0.3), norm(4, d), dense(4, 3, d)], 0),
    "not affine": (lambda d: [dense(4, 5, d), norm(5, d, affine=False), nn.Sigmoid()], 0),
    "no dense beside it": (lambda d: [dense(4, 5, d), nn.ReLU(), norm(5, d), nn.ReLU(), dense(5, 2, d)], 1),
    "no norm": (lambda d: [dense(4, 5, d, bias=False), nn.ReLU(), dense(5, 2, d)], 0),
}


def states(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ORDERS)
def test_folded_equals_unfolded(order, dtype):
    layers, norms_left = ORDERS[order]
    model = nn.Sequential(*layers(dtype)).eval()
    before = states(model)
    folded = fold_batch_norm(model)
    x = np.random.default_rng(1).normal(1, 3, (200, 4)).astype(dtype)
    wanted = model.logits(x)
    assert np.abs(folded.logits(x) - wanted).max() <= TOLERANCE[dtype] * np.abs(wanted).max()
    assert sum(isinstance(layer, nn.BatchNorm) for layer in folded.layers) == norms_left
    assert folded.dtype == model.dtype == dtype
    assert not folded.training
    assert states(model) == before


def test_nothing_is_shared():
    model = nn.Sequential(*ORDERS["no dense beside it"][0](np.float64)).eval()
    before = states(model)
    folded = fold_batch_norm(model)
    for tensor in folded.parameters().values():
        tensor.data[...] = 7
    folded.layers[2].running_mean[...] = 7
    assert states(model) == before


def test_a_bias_is_added_only_where_it_is_needed():
    folded = fold_batch_norm(nn.Sequential(*ORDERS["dense, norm"][0](np.float32)).eval())
    assert [layer.bias is not None for layer in folded.layers if isinstance(layer, nn.Dense)] == [True, True]
    plain = fold_batch_norm(nn.Sequential(*ORDERS["no norm"][0](np.float32)).eval())
    assert plain.layers[0].bias is None


def test_training_mode_and_other_things_are_refused():
    with pytest.raises(ArgumentError, match=r"to be folded, got training mode.*call model.eval\(\)"):
        fold_batch_norm(nn.mlp([4, 5, 3]))
    part = nn.mlp([4, 5, 3]).eval()
    part.layers[1].train()
    with pytest.raises(ArgumentError, match="training mode"):
        fold_batch_norm(part)
    with pytest.raises(DtypeError, match="minibn.nn.Sequential, got Dense"):
        fold_batch_norm(nn.Dense(2, 3))
