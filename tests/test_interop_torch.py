"""Models from PyTorch and back, judged by PyTorch itself."""

import inspect

import numpy as np
import pytest
from safetensors.numpy import load_file

from minibn import nn
from minibn.errors import ArgumentError, ConversionError, DtypeError
from minibn.interop import from_onnx, from_torch, to_torch
from minibn.train import SGD, save_model
from minibn.train.step import step

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

torch.set_num_threads(1)  # its threads would wait for those of other tests
DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-6}


def rows(n=40, columns=6, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, (n, columns))


def network(dtype=torch.float64, **options):
    torch.manual_seed(1)
    layers = torch.nn
    return layers.Sequential(
        layers.Linear(6, 5, bias=False), layers.BatchNorm1d(5, **options), layers.ReLU(), layers.Linear(5, 3)
    ).to(dtype)  # fmt: skip


def moved(peer, steps=8):
    """Give the running statistics values of their own."""
    dtype = next(peer.parameters()).dtype
    for seed in range(steps):
        peer.train()(torch.tensor(rows(seed=seed), dtype=dtype))
    return peer.eval()


def scores(peer, x):
    dtype = next(peer.parameters()).dtype
    return peer(torch.tensor(x, dtype=dtype)).detach().numpy()


def apart(left, right):
    """Return the largest difference, of the largest entry."""
    return np.abs(left - right).max() / np.abs(right).max()


MODELS = {
    "dense first": lambda: network(),
    "eps and momentum": lambda: network(eps=0.1, momentum=0.3),
    "cumulative": lambda: network(momentum=None),
    "not affine": lambda: network(affine=False),
    "gamma alone": lambda: network(bias=False),
    "nested": lambda: torch.nn.Sequential(network(), torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(3, 2))),
    "batch norm first": lambda: torch.nn.Sequential(
        torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 3), torch.nn.Sigmoid(), torch.nn.Identity()
    ),
    "flatten": lambda: torch.nn.Sequential(torch.nn.Flatten(), network(), torch.nn.Flatten(1)),
    "dropout": lambda: torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODELS)
def test_outputs_agree_both_ways(name, dtype):
    if name == "gamma alone" and "bias" not in inspect.signature(torch.nn.BatchNorm1d).parameters:
        pytest.skip("BatchNorm1d has no argument bias before PyTorch 2.13")
    peer, x = moved(MODELS[name]().to(dtype)), rows(seed=9)
    ours = from_torch(peer, report=None)
    assert str(ours.dtype) in str(dtype)
    assert apart(ours.logits(x), scores(peer, x)) < TOLERANCE[dtype]
    back = to_torch(ours, report=None)
    assert apart(scores(back, x), scores(peer, x)) < TOLERANCE[dtype]
    assert not ours.training
    assert not back.training


@pytest.mark.parametrize("momentum", [0.1, 0.37, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_running_statistics_agree_after_fifty_more_batches_of_training(dtype, momentum):
    """Both train on: gradients, updates and statistics of the peer's own optimizer and ours."""
    peer = moved(network(dtype, momentum=momentum)).train()
    ours = from_torch(peer, report=None)
    assert ours.training
    theirs, optimizer, loss = torch.optim.SGD(peer.parameters(), 0.01), SGD(0.01), nn.SoftmaxCrossEntropy()
    for seed in range(50):
        x, y = rows(16, seed=100 + seed), np.arange(16) % 3
        step(ours, loss, optimizer, x, y)
        theirs.zero_grad()
        output = peer(torch.tensor(x, dtype=dtype))
        torch.nn.functional.cross_entropy(output, torch.tensor(y)).backward()
        theirs.step()
    assert apart(ours.layers[1].running_mean, peer[1].running_mean.numpy()) < 1e-6
    assert apart(ours.layers[1].running_var, peer[1].running_var.numpy()) < 1e-6
    assert int(ours.layers[1].num_batches_tracked) == int(peer[1].num_batches_tracked) == 58


def test_a_wrong_momentum_would_be_seen():
    """The measure of the test above, on the classic mistake: momentum read as the weight of the old value."""
    peer = moved(network()).train()
    ours = from_torch(peer, report=None)
    ours.layers[1].momentum = 0.9
    for seed in range(50):
        ours(rows(16, seed=seed))
        peer(torch.tensor(rows(16, seed=seed)))
    assert apart(ours.layers[1].running_mean, peer[1].running_mean.numpy()) > 1e-3


@pytest.mark.parametrize("prefix", ["", "net.", "_orig_mod.model."])
def test_a_state_is_enough(prefix):
    peer, x = moved(network()), rows(seed=3)
    state = {prefix + name: value for name, value in peer.state_dict().items()}
    assert apart(from_torch(state, report=None).logits(x), scores(peer, x)) < 1e-12


def test_a_state_with_other_settings():
    peer, x = moved(network(eps=0.5)), rows(seed=3)
    peer[2] = torch.nn.Tanh()
    ours = from_torch(peer.state_dict(), activation="tanh", eps=0.5, momentum=0.2, report=None)
    assert apart(ours.logits(x), scores(peer, x)) < 1e-12
    assert ours.layers[1].momentum == 0.2


def test_our_own_file_is_a_state(tmp_path):
    model = nn.mlp([6, 5, 3], rng=2)
    model(rows())
    save_model(tmp_path / "m.safetensors", model.eval())
    again = from_torch(load_file(tmp_path / "m.safetensors"), report=None)
    np.testing.assert_array_equal(again.logits(rows()), model.logits(rows()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
def test_what_pytorch_exports_to_onnx(dynamo, tmp_path):
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    if dynamo:
        pytest.importorskip("onnxscript", reason="onnxscript, which this exporter needs, is not installed")
    peer = moved(torch.nn.Sequential(*network(torch.float32), torch.nn.Dropout(0.5), torch.nn.Softmax(dim=1)))
    x, path = torch.tensor(rows(seed=2), dtype=torch.float32), tmp_path / "m.onnx"
    options = {"dynamo": True, "verbose": False} if dynamo else {"dynamo": False, "opset_version": 17}
    torch.onnx.export(peer, (x,), str(path), **options)
    ours = from_onnx(path, report=None)
    assert np.abs(ours.predict_proba(x.numpy()) - peer(x).detach().numpy()).max() < 1e-6


def test_notes(capsys):
    from_torch(torch.nn.Sequential(*network(torch.float16), torch.nn.Softmax(dim=1)))
    printed = capsys.readouterr().out.splitlines()
    said = [
        "transposed to (6, 5)",
        "momentum 0.1 weighs the new value",
        "ReLU",
        "(5, 3)",
        "softmax",
        "float32",
    ]
    assert len(printed) == 6
    assert all(part in line for part, line in zip(said[:5], printed[:5], strict=True))
    lines = []
    from_torch(network().state_dict(), report=lines.append)
    assert "eps 1e-05 as given" in lines[1]
    assert "ReLU, as given" in lines[2]
    assert capsys.readouterr().out == ""


def test_modes_and_half_precision():
    peer = network(torch.bfloat16)
    peer[1].eval()
    ours = from_torch(peer, report=None)
    assert [layer.training for layer in ours.layers] == [True, False, True, True]
    assert ours.dtype == np.float32


def test_memory_is_not_shared():
    peer = network()
    before = scores(peer.eval(), rows())
    ours = from_torch(peer, report=None)
    ours.layers[0].weight.data[...] = 0
    ours.layers[1].running_mean[...] = 5
    back = to_torch(ours, report=None)
    back[0].weight.data.fill_(1)
    np.testing.assert_array_equal(scores(peer, rows()), before)
    assert not ours.layers[0].weight.data.any()


def hooked():
    peer = network()
    peer[0].register_forward_hook(lambda module, given, output: output * 2)
    return peer


class Named(torch.nn.Sequential):
    """A Sequential that only builds itself."""

    def __init__(self):
        super().__init__(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))


def test_a_sequential_that_only_builds_itself_is_one():
    peer = Named()
    assert apart(from_torch(peer, report=None).logits(rows()), scores(peer, rows())) < 1e-5


class Rewired(Named):
    def forward(self, x):
        return -super().forward(x)


class Doubled(torch.nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def patched(module):
    module.forward = lambda x: -x
    return module


layers = torch.nn
BAD = [
    (lambda: layers.Sequential(layers.Linear(4, 4), layers.LayerNorm(4)), r"1 \(LayerNorm\)"),
    (lambda: layers.Sequential(layers.Sequential(layers.Conv1d(4, 4, 1))), r"0\.0 \(Conv1d\)"),
    (lambda: layers.Sequential(Doubled(4, 4)), r"0 \(Doubled\)"),
    (Rewired, "Rewired: its forward may do anything"),
    (lambda: layers.TransformerEncoderLayer(4, 2), "TransformerEncoderLayer: its forward may do anything"),
    (lambda: layers.Sequential(layers.Linear(4, 4), layers.Softmax(1), layers.ReLU()), r"softmax before 2 \(ReLU\)"),
    (lambda: layers.Sequential(layers.Linear(4, 4), layers.Softmax(0)), "dim=0"),
    (lambda: layers.Sequential(layers.BatchNorm1d(4, track_running_stats=False)), "track_running_stats"),
    (lambda: layers.Sequential(layers.Linear(4, 4), layers.Linear(5, 2)), "takes 5 columns"),
    (lambda: layers.Sequential(layers.Linear(4, 2, device="meta")), "'meta' and has no values"),
    (lambda: patched(layers.Sequential(layers.Linear(4, 2))), "module .* forward of its own"),
    (lambda: layers.Sequential(patched(layers.Linear(4, 2))), r"0 \(Linear\) has a forward of its own"),
    (lambda: {"fc1.weight": torch.ones(2, 2), "fc2.weight": torch.ones(2, 2)}, "got 'fc1.weight'"),
    (lambda: layers.Sequential(layers.Flatten(0), layers.Linear(4, 2)), r"0 \(Flatten\): start_dim=0, end_dim=-1"),
    (lambda: layers.Sequential(layers.BatchNorm1d(4, momentum=1.5)), r"0 \(BatchNorm1d\): momentum must be in \[0, 1\]"),
    (hooked, "forward hooks"), (lambda: layers.Sequential(), "no layer with weights"),
    (lambda: {}, "names of the state"), (lambda: {"fc.weight": torch.ones(2, 2)}, "'fc.weight'"),
    (lambda: {"0.weight": torch.ones(2, 2, 3)}, r"0 \(weight \(2, 2, 3\)\)"),
    (lambda: {"a.0.weight": torch.ones(2, 2), "b.0.weight": torch.ones(2, 2)}, "names of the state"),
    (lambda: {"0.weight": torch.ones(2, 2, dtype=torch.complex64)}, "real numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), BAD)
def test_what_has_no_counterpart_is_named(source, message):
    with pytest.raises(ConversionError, match=message) as caught:
        from_torch(source(), report=None)
    assert "\n" not in str(caught.value)


def test_wrong_arguments():
    with pytest.raises(DtypeError, match="torch.nn.Module or a state dict, got list"):
        from_torch([1])
    with pytest.raises(ArgumentError, match="activation must be one of relu"):
        from_torch(network().state_dict(), activation="gelu")
    with pytest.raises(DtypeError, match="minibn.nn.Sequential, got Linear"):
        to_torch(torch.nn.Linear(2, 2))


def test_to_torch_says_what_pytorch_treats_otherwise(capsys):
    model = nn.Sequential(nn.Dense(6, 5), nn.BatchNorm(5, running_var="biased"), nn.BatchNorm(5).freeze())
    peer = to_torch(model)
    said = capsys.readouterr().out.splitlines()
    assert ["unbiased" in said[0], "frozen" in said[1], len(said)] == [True, True, 2]
    assert [module.training for module in peer] == [True, True, False]
    assert not peer[2].weight.requires_grad
    x = rows().astype(np.float32)
    np.testing.assert_allclose(
        scores(peer, x), model(x).data, atol=1e-5
    )  # in training: batch statistics, and the frozen ones
