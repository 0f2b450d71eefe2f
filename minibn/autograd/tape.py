"""The tape: what was played, in which order, and how to play it backward."""

import contextlib
import contextvars
import itertools

import numpy as np

from minibn.errors import GradientError, ShapeError

_recording = contextvars.ContextVar("recording", default=True)
_listing = contextvars.ContextVar("listing", default=None)
_outlining = contextvars.ContextVar("outlining", default=False)
_clock = itertools.count()


class Node:
    """One played operation on the tape.

    Attributes
    ----------
    op : Op
    inputs : tuple of Tensor
        None once the backward pass has freed the node.
    saved : tuple
        What the backward rule needs.
    index : int
        Position on the tape: an operation comes after those that made its inputs.
    """

    __slots__ = ("index", "inputs", "op", "saved")

    def __init__(self, op, inputs, saved):
        self.op, self.inputs, self.saved, self.index = op, inputs, saved, next(_clock)

    def free(self):
        """Drop what the backward pass no longer needs."""
        self.inputs = self.saved = None


@contextlib.contextmanager
def no_grad():
    """Play operations without recording them, in this thread and context.

    Examples
    --------
    >>> from minibn.autograd import Tensor, no_grad
    >>> weight = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = weight * 2.0
    >>> y.requires_grad
    False
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextlib.contextmanager
def outlined():
    """List the operations played inside without computing them.

    Yields
    ------
    list of (Node, Tensor)
        Fills with each operation and its output, of the right shape and of no meaning, in playing order.
    """
    played = []
    listing, outlining = _listing.set(played), _outlining.set(True)
    try:
        yield played
    finally:
        _listing.reset(listing)
        _outlining.reset(outlining)


def outlining():
    """Say whether operations are listed without being computed."""
    return _outlining.get()


def record(op, *inputs, **attributes):
    """Play one operation and put it on the tape.

    Parameters
    ----------
    op : Op
    *inputs : Tensor
    **attributes
        Passed to the forward rule as they are.

    Returns
    -------
    output : Tensor
    saved : tuple
        What the forward rule kept for the backward rule.
    """
    from minibn.autograd.tensor import Tensor

    rule = op.outline if op.outline and outlining() else op.forward
    data, saved = rule(*(tensor.data for tensor in inputs), **attributes)
    output, listing = Tensor(data), _listing.get()
    output.requires_grad = _recording.get() and any(tensor.requires_grad for tensor in inputs)
    if output.requires_grad or listing is not None:
        output.node = Node(op, inputs, saved)
    if listing is not None:
        listing.append((output.node, output))
    return output, saved


def apply(op, *inputs, **attributes):
    """Play one operation, put it on the tape, and return its output as a Tensor."""
    return record(op, *inputs, **attributes)[0]


def _reachable(output):
    """Return the nodes behind a tensor, latest first."""
    found, stack = {}, [output.node]
    while stack:
        node = stack.pop()
        if node is None or node.index in found:
            continue
        if node.inputs is None:
            raise GradientError(
                f"the tape behind op {node.op.name!r} was freed by an earlier backward; "
                "run the forward pass again, or keep it with backward(retain_graph=True)"
            )
        found[node.index] = node
        stack.extend(tensor.node for tensor in node.inputs)
    return [found[index] for index in sorted(found, reverse=True)]


def _gradients(node, dy):
    if node.op.backward is None:
        raise GradientError(
            f"op {node.op.name!r} has no backward rule; add one to its record, or detach its input"
        )
    return node.op.backward(dy, node.saved, tuple(tensor.requires_grad for tensor in node.inputs))


def _seed(output, gradient):
    if gradient is None:
        if output.data.size != 1:
            raise ShapeError(
                f"backward of shape {output.shape} needs a gradient of that shape; pass one, or reduce to a scalar"
            )
        return np.ones_like(output.data)
    gradient = np.asarray(gradient, output.dtype)
    if gradient.shape != output.shape:
        raise ShapeError(
            f"gradient must have shape {output.shape}, got {gradient.shape}; pass one entry per output"
        )
    return gradient


def backward(output, gradient=None, retain_graph=False):
    """Accumulate the gradient of ``output`` into every leaf that requires one.

    Parameters
    ----------
    output : Tensor
    gradient : ndarray of the shape of output, optional
        Gradient of the final result by ``output``; ones for a single number.
    retain_graph : bool
        Keep the tape for another backward pass.

    Raises
    ------
    GradientError
        When there is no tape, when it was freed, or when an operation has no backward rule.
    ShapeError
    """
    if not output.requires_grad:
        raise GradientError(
            "backward needs a tensor that depends on one with requires_grad=True, outside of no_grad; got none"
        )
    gradient = _seed(output, gradient)
    if output.node is None:
        output.accumulate(gradient)
        return
    waiting = {output.node.index: gradient}
    for node in _reachable(output):
        dy = waiting.pop(node.index)
        for tensor, gradient in zip(node.inputs, _gradients(node, dy), strict=True):
            if tensor.node is not None:
                # A wider operand widens the gradient; the rule behind expects the dtype of its own output.
                index, gradient = tensor.node.index, np.asarray(gradient, tensor.dtype)
                waiting[index] = waiting[index] + gradient if index in waiting else gradient
            elif tensor.requires_grad:
                tensor.accumulate(gradient)
        if not retain_graph:
            node.free()
