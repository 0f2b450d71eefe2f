"""One small network, its data, weights and batches, and the losses that nine other engines give; tests/fixtures/README.md."""

from pathlib import Path

import numpy as np
import pytest

from minibn import nn
from minibn.train import SGD
from minibn.train.engines import engine
from minibn.train.part import Part

TRACE = [0.9041, 0.5098, 0.3613, 0.3325, 0.3171]
BATCH = 100


@pytest.fixture(scope="module")
def fixture():
    with np.load(Path(__file__).parent / "fixtures" / "parity.npz") as archive:
        return dict(archive)


def network(fixture, dtype):
    model = nn.mlp([20, 10, 3], dtype=dtype)
    model.layers[0].weight.data[:], model.layers[-1].weight.data[:] = fixture["weight1"], fixture["weight2"]
    return model


# float32 rounds each step: four digits hold, and a fifth nearly.
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("name", ["eager", "program"])
def test_the_trace_of_nine_other_engines(name, dtype, tolerance, fixture, conformance):
    part = Part(fixture["x"].astype(dtype), fixture["y"])
    played = engine(name, network(fixture, dtype), nn.SoftmaxCrossEntropy(), SGD(0.5), BATCH)
    trace = [played.run_epoch(part, epoch.reshape(-1)).losses.mean() for epoch in fixture["batches"]]
    np.testing.assert_allclose(trace, fixture["trace"], rtol=0, atol=tolerance)
    assert [f"{loss:.4f}" for loss in trace] == [f"{loss:.4f}" for loss in TRACE]
    conformance(f"parity with nine engines, {name}, {np.dtype(dtype)}: {' '.join(f'{v:.4f}' for v in trace)}")


def test_the_trace_is_what_pytorch_gives(fixture, conformance):
    """The fixture itself, made anew."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    peer = torch.nn.Sequential(
        torch.nn.Linear(20, 10, bias=False), torch.nn.BatchNorm1d(10), torch.nn.ReLU(), torch.nn.Linear(10, 3)
    ).double()  # fmt: skip
    with torch.no_grad():
        peer[0].weight[:] = torch.as_tensor(fixture["weight1"].T)
        peer[3].weight[:] = torch.as_tensor(fixture["weight2"].T)
        peer[3].bias.zero_()
    optimizer = torch.optim.SGD(peer.parameters(), 0.5)
    x, y, trace = torch.as_tensor(fixture["x"]), torch.as_tensor(fixture["y"]), []
    for epoch in fixture["batches"]:
        losses = []
        for rows in epoch:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(peer(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        trace.append(np.mean(losses))
    np.testing.assert_allclose(trace, fixture["trace"], rtol=0, atol=1e-10)
    conformance(f"parity, PyTorch itself: {' '.join(f'{value:.4f}' for value in trace)}")
