"""A numerical check of gradients."""

import numpy as np

from minibn.autograd.tape import no_grad
from minibn.errors import DtypeError, GradientError

_STREAM = 0x67726164  # a stream of its own: inputs drawn from the same seed must not be the upstream too


def _numerical(function, inputs, upstream, tensor, step):
    """Return the central differences of sum(upstream * function) by each entry of one input."""
    original, gradient = tensor.data, np.empty_like(tensor.data)
    for index in np.ndindex(original.shape):
        values = []
        for sign in (1, -1):
            tensor.data = original.copy()
            tensor.data[index] += sign * step
            values.append(float((upstream * function(*inputs).data).sum()))
        gradient[index] = (values[0] - values[1]) / (2 * step)
    tensor.data = original
    return gradient


def gradcheck(function, inputs, *, step=1e-6, tolerance=1e-5, seed=0):
    """Compare the backward pass of a function with central differences, under a random upstream gradient.

    A random upstream matters: the sum of a batch norm's output does not depend on its input, so a check
    with ones passes whatever the backward rule returns.

    Parameters
    ----------
    function : callable
        Takes the tensors, returns one Tensor. Must be a pure function: freeze running statistics first.
    inputs : sequence of Tensor of float64
        Those with ``requires_grad`` are checked; their gradients are overwritten.
    step : float
        Half the distance of the difference quotient.
    tolerance : float
        Largest relative error allowed, in the Euclidean norm over each input.
    seed : int
        Seed of the upstream gradient.

    Returns
    -------
    bool
        True.

    Raises
    ------
    GradientError
        Naming the input, its worst entry, and both values.
    DtypeError
        When an input is not float64.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.autograd import Tensor, gradcheck
    >>> gradcheck(lambda a: (a * a).sum(axis=0), [Tensor(np.eye(3), requires_grad=True)])
    True
    """
    for position, tensor in enumerate(inputs):
        if tensor.dtype != np.float64:
            raise DtypeError(
                f"input {position} of gradcheck must be float64, got {tensor.dtype}; differences need the digits"
            )
        tensor.grad = None
    output = function(*inputs)
    upstream = np.random.default_rng([seed, _STREAM]).standard_normal(output.shape)
    output.backward(upstream)
    with no_grad():
        for position, tensor in enumerate(inputs):
            if tensor.requires_grad:
                _compare(position, tensor, _numerical(function, inputs, upstream, tensor, step), tolerance)
    return True


def _compare(position, tensor, numerical, tolerance):
    analytic = np.zeros_like(numerical) if tensor.grad is None else tensor.grad
    difference = np.abs(analytic - numerical)
    scale = max(np.linalg.norm(analytic), np.linalg.norm(numerical), 1e-8)
    error = np.linalg.norm(difference) / scale
    if not error <= tolerance:
        worst = np.unravel_index(np.argmax(difference), difference.shape)
        raise GradientError(
            f"gradient of input {position} is off by {error:.1e} relative, allowed {tolerance:.1e}; worst at "
            f"{tuple(map(int, worst))}: backward {analytic[worst]:.6g}, numerical {numerical[worst]:.6g}"
        )
