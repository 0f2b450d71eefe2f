"""From PyTorch: a ``torch.nn.Sequential``, or its state alone."""

from collections.abc import Mapping

from minibn.errors import ArgumentError, ConversionError, DtypeError, require_extra
from minibn.interop import parts
from minibn.interop.torch_arrays import array_of
from minibn.interop.torch_states import state_parts


def from_torch(source, *, activation="relu", momentum=0.1, eps=1e-5, report=print):
    """Build a network with the layers, values and conventions of a PyTorch one.

    Parameters
    ----------
    source : torch.nn.Module or dict of str to torch.Tensor or ndarray
        A Sequential of Linear, BatchNorm1d, ReLU, Sigmoid, Tanh, Identity, Flatten, Dropout and a final Softmax,
        nested or not; or the state of one, whose names are ``"0.weight"`` and so on, perhaps behind a common prefix.
    activation : str or None
        For a state only, which does not name its activations: ``"relu"``, ``"sigmoid"`` or ``"tanh"`` at each
        position without values between two layers that have some; None for nothing there.
    momentum, eps : float
        For a state only, which does not hold them: those of its batch norms.
    report : callable or None
        Called with one line about each layer: what it became, and what was converted. None for silence.

    Returns
    -------
    minibn.nn.Sequential
        On memory of its own, each layer in the mode of its source; in evaluation mode from a state.

    Raises
    ------
    ConversionError
        Naming the layer that has no counterpart.
    DtypeError
        When the source is neither a module nor a state.
    """
    if isinstance(source, Mapping):
        if activation is not None and activation not in parts.ACTIVATIONS:
            known = ", ".join(parts.ACTIVATIONS)
            raise ArgumentError(f"activation must be one of {known} or None, got {activation!r}")
        return parts.assemble(state_parts(source, activation, momentum, eps), report)
    torch = require_extra("torch", "torch")
    if not isinstance(source, torch.nn.Module):
        raise DtypeError(
            f"source must be a torch.nn.Module or a state dict, got {type(source).__name__}; "
            "pass a Sequential or its state_dict()"
        )
    return parts.assemble(list(_walk(torch, source, "")), report)


def _walk(torch, module, name):
    """Yield the parts of a module, those of nested ones in order."""
    if isinstance(module, torch.nn.Sequential) and type(module).forward is torch.nn.Sequential.forward:
        _refuse_hooks(module, f"{name or 'the module'} (Sequential)")
        for child, layer in module.named_children():
            yield from _walk(torch, layer, f"{name}.{child}" if name else child)
        return
    place = f"{name} ({type(module).__name__})" if name else type(module).__name__
    reader = _readers(torch).get(type(module))
    if reader is None:
        raise parts.unknown(
            place, "its forward may do anything" if list(module.children()) else "minibn has no such layer"
        )
    _refuse_hooks(module, place)
    part = reader(place, module)
    part.training = module.training
    if any(not value.requires_grad for value in module.parameters()):
        part.note += "; requires_grad=False is not kept: it would be trained here"
    if torch.bfloat16 in {value.dtype for value in module.parameters()}:
        part.note += "; bfloat16 becomes float32"
    yield part


def _refuse_hooks(module, place):
    if "forward" in vars(module):
        raise ConversionError(f"{place} has a forward of its own, set on the object; remove it first")
    if module._forward_hooks or module._forward_pre_hooks:
        raise ConversionError(f"{place} has forward hooks, which may change its output; remove them first")


def _readers(torch):
    # By exact type: a subclass may compute something else.
    return {
        torch.nn.Linear: _linear,
        torch.nn.BatchNorm1d: _batch_norm,
        torch.nn.ReLU: lambda place, module: parts.activation(place, "relu"),
        torch.nn.Sigmoid: lambda place, module: parts.activation(place, "sigmoid"),
        torch.nn.Tanh: lambda place, module: parts.activation(place, "tanh"),
        torch.nn.Identity: lambda place, module: parts.nothing(place),
        torch.nn.Flatten: _flatten,
        torch.nn.Dropout: lambda place, module: parts.dropout(place),
        torch.nn.Softmax: _softmax,
        torch.nn.LogSoftmax: _softmax,
    }


def _linear(place, module):
    weight = array_of(f"{place}.weight", module.weight)
    bias = None if module.bias is None else array_of(f"{place}.bias", module.bias)
    return parts.dense(place, weight.T, bias, _transposed(weight))


def _transposed(weight):
    return f"Dense; weight {weight.shape} transposed to {weight.T.shape}"


def _flatten(place, module):
    if (module.start_dim, module.end_dim) != (1, -1):
        raise parts.unknown(
            place, f"start_dim={module.start_dim}, end_dim={module.end_dim} does not give flat rows"
        )
    return parts.flatten(place)


def _softmax(place, module):
    if module.dim not in (1, -1):
        raise parts.unknown(place, f"dim={module.dim} is not the axis of the classes; set dim=1")
    return parts.softmax(place)


def _batch_norm(place, module):
    if module.running_mean is None:
        raise parts.unknown(
            place, "track_running_stats=False keeps no statistics, and evaluation here needs them"
        )
    values = {
        name: None if (value := getattr(module, name)) is None else array_of(f"{place}.{name}", value)
        for name in ("running_mean", "running_var", "weight", "bias")
    }
    meaning = (
        "None averages over all batches"
        if module.momentum is None
        else f"{module.momentum:g} weighs the new value"
    )
    note = f"BatchNorm; momentum {meaning}, eps {module.eps:g}, running variance unbiased: the same in both"
    return parts.batch_norm(
        place, *values.values(), note, momentum=module.momentum, eps=module.eps,
        batches=int(module.num_batches_tracked),
    )  # fmt: skip
