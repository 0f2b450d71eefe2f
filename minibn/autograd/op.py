"""One record per operation: a name, a forward rule, a backward rule."""

from collections.abc import Callable
from dataclasses import dataclass

OPS: dict[str, "Op"] = {}
"""Every operation by name."""


@dataclass(frozen=True, slots=True)
class Op:
    """One differentiable operation on arrays.

    Attributes
    ----------
    name : str
    forward : callable
        ``forward(*arrays, **attributes) -> (output, saved)``: the result, and a tuple of whatever the backward
        rule needs.
    backward : callable or None
        ``backward(dy, saved, needs) -> gradients``: one gradient per input, None where ``needs`` is False.
        None where no rule exists; backward then raises an error that names the operation.
    """

    name: str
    forward: Callable
    backward: Callable | None


def register(name, forward, backward):
    """Create the record of an operation and list it in :data:`OPS`."""
    OPS[name] = Op(name, forward, backward)
    return OPS[name]
