"""Training in PyTorch: the eager loop that its tutorials teach, without a data loader."""

import torch
from torch import nn

PLAIN = False


def _dense(arrays):
    inputs, outputs = arrays["weight"].shape
    layer = nn.Linear(inputs, outputs, bias="bias" in arrays)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(arrays["weight"].T))
        if "bias" in arrays:
            layer.bias.copy_(torch.from_numpy(arrays["bias"]))
    return layer


_LAYERS = {
    "Dense": _dense,
    "BatchNorm": lambda arrays: nn.BatchNorm1d(
        next(iter(arrays.values())).size
    ),  # gamma 1, beta 0: as minibn's
    "ReLU": lambda arrays: nn.ReLU(),
    "Sigmoid": lambda arrays: nn.Sigmoid(),
}


def build(network, layers, x, y):
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    model, criterion = (
        nn.Sequential(*(_LAYERS[kind](arrays) for kind, arrays in layers)),
        nn.CrossEntropyLoss(),
    )
    optimizer = torch.optim.SGD(model.parameters(), network.learning_rate)

    def epoch(order):
        total = 0.0
        for rows in torch.from_numpy(order).split(network.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x.index_select(0, rows)), y.index_select(0, rows))
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(order)

    return epoch
