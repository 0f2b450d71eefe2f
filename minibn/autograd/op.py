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
    outline : callable or None
        The forward rule without its arithmetic: an output of the right shape and dtype, and what callers read
        of the saved tuple. None where the forward rule itself is cheap enough to learn the shapes.
    """

    name: str
    forward: Callable
    backward: Callable | None
    outline: Callable | None = None


def register(name, forward, backward, outline=None):
    """Create the record of an operation and list it in :data:`OPS`."""
    OPS[name] = Op(name, forward, backward, outline)
    return OPS[name]
