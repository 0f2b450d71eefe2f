"""To PyTorch."""

import numpy as np

from minibn.errors import require_extra
from minibn.interop.network import network
from minibn.nn import BatchNorm, Dense


def to_torch(model, *, report=print):
    """Build the ``torch.nn.Sequential`` that computes the same, on memory of its own.

    Parameters
    ----------
    model : minibn.nn.Sequential
    report : callable or None
        Called with one line about each layer that PyTorch treats otherwise. None for silence.

    Returns
    -------
    torch.nn.Sequential
        Of the model's dtype, each layer in the mode of its source. A frozen batch norm is in evaluation mode and
        requires no gradient; ``.train()`` would thaw its statistics, as always in PyTorch.

    Raises
    ------
    DtypeError
        When the model is not a Sequential of minibn.
    MissingExtraError
        Without PyTorch.
    """
    torch = require_extra("torch", "torch")
    dtype = torch.float64 if network(model).dtype == np.float64 else torch.float32
    peer = torch.nn.Sequential(*(_module(torch, layer, dtype) for layer in model.layers))
    peer.load_state_dict({name: torch.as_tensor(value) for name, value in model.state_dict().items()})
    peer.training = model.training
    for module, layer in zip(peer, model.layers, strict=True):
        module.train(layer.training and not getattr(layer, "frozen", False))
    for line in _notes(model) if report else ():
        report(line)
    return peer


def _module(torch, layer, dtype):
    if isinstance(layer, Dense):
        return torch.nn.Linear(*layer.weight.shape, bias=layer.bias is not None, dtype=dtype)
    if not isinstance(layer, BatchNorm):
        return getattr(torch.nn, type(layer).__name__)()
    module = torch.nn.BatchNorm1d(
        layer.running_mean.size, eps=layer.eps, momentum=layer.momentum, affine=layer.affine, dtype=dtype
    )
    return module.requires_grad_(not layer.frozen)


def _notes(model):
    for position, layer in enumerate(model.layers):
        if not isinstance(layer, BatchNorm):
            continue
        if layer.variance_kind == "biased":
            yield f"{position} (BatchNorm): further training in PyTorch enters the unbiased variance, not the biased"
        if layer.frozen:
            yield f"{position} (BatchNorm): frozen; in PyTorch .train() would move its statistics again"
