"""PyTorch's eager training loop on a GPU: data and order on the device, the losses read once an epoch."""


def build(network, layers, x, y):
    """Return ``epoch(order)``, which trains one epoch and returns the mean loss."""
    import torch
    from torch import nn

    from benchmarks.against.torch_training import _LAYERS

    x, y = torch.from_numpy(x).cuda(), torch.from_numpy(y).cuda()
    model = nn.Sequential(*(_LAYERS[kind](arrays) for kind, arrays in layers)).cuda()
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), network.learning_rate)

    def epoch(order):
        total = torch.zeros((), device="cuda")
        for rows in torch.from_numpy(order).cuda().split(network.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x.index_select(0, rows)), y.index_select(0, rows))
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return total.item() / len(order)

    return epoch
