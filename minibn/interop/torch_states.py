"""What the state of a ``torch.nn.Sequential`` tells of its layers."""

import re

from minibn.errors import ConversionError
from minibn.interop import parts
from minibn.interop.torch_arrays import array_of

# A prefix ends in a dot: "fc1.weight" and "fc2.weight" are attributes, and say nothing of what stands between.
_NAME = re.compile(r"((?:.*?\.)?)(\d+)\.(\w+)$")


def state_parts(state, activation, momentum, eps):
    """Return the parts that a state dict stands for; see :func:`minibn.interop.from_torch`."""
    layers = _by_position(state)
    return [
        _part(position, layers[position], momentum, eps)
        if position in layers
        # One activation stands in a gap; what comes behind it is taken for a Dropout or an Identity.
        else _without_values(position, activation if position - 1 in layers else None)
        for position in range(min(layers), max(layers) + 1)
    ]


def _by_position(state):
    """Return the arrays by position and name, the prefix that all names share left off."""
    matches = {name: _NAME.match(str(name)) for name in state}
    prefixes = {match and match[1] for match in matches.values()}
    if len(prefixes) != 1 or None in prefixes:
        odd = next((name for name, match in matches.items() if not match), next(iter(state), "nothing"))
        raise ConversionError(
            f"the names of the state must be those of one torch.nn.Sequential, '0.weight' and so on, got {odd!r}; "
            "pass the Sequential itself"
        )
    layers = {}
    for name, match in matches.items():
        layers.setdefault(int(match[2]), {})[match[3]] = array_of(name, state[name])
    return layers


def _part(position, values, momentum, eps):
    names, dims = set(values), getattr(values.get("weight"), "ndim", None)
    if dims == 2 and names <= {"weight", "bias"}:
        weight = values["weight"]
        note = f"Dense; weight {weight.shape} transposed to {weight.T.shape}"
        return parts.dense(f"{position} (Linear)", weight.T, values.get("bias"), note)
    statistics = {"running_mean", "running_var"}
    if statistics <= names <= statistics | {"weight", "bias", "num_batches_tracked"}:
        return _batch_norm(f"{position} (BatchNorm1d)", values, momentum, eps)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in values.items())
    raise parts.unknown(f"{position} ({shapes})")


def _batch_norm(place, values, momentum, eps):
    arrays = (values.get(name) for name in ("running_mean", "running_var", "weight", "bias"))
    note = f"BatchNorm; momentum {momentum} and eps {eps} as given, for the state does not hold them; "
    batches = int(values.get("num_batches_tracked", 0))
    return parts.batch_norm(
        place, *arrays, f"{note}running variance unbiased", momentum=momentum, eps=eps, batches=batches
    )


def _without_values(position, activation):
    place = f"{position} (no values)"
    if activation is None:
        return parts.nothing(place, "left out: taken for a layer that does nothing in evaluation")
    part = parts.activation(place, activation)
    part.note = f"{part.note}, as given, for the state does not name its activations"
    return part
