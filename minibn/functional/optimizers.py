"""Optimizer steps over arrays of any shape, checked."""

import numpy as np

from minibn import kernels
from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.functional.on_cuda import also_on_cuda


def _spans(param, grad, **state):
    """Return the arrays of an update as flat views, so that one compiled version serves every shape."""
    param = checks.in_place("param", param, None)
    grad = checks.floats("grad", grad, param.shape, param.dtype, "param")
    arrays = [checks.in_place(name, a, param.shape, param.dtype, "param") for name, a in state.items()]
    return [a.reshape(-1) for a in (param, grad, *arrays)]


@also_on_cuda
def sgd_update_inplace(
    param, grad, velocity=None, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0
):
    """Take one step of stochastic gradient descent, in place.

    Parameters
    ----------
    param : ndarray of float32 or float64, any shape
        Changed in place.
    grad : ndarray of the dtype and shape of param
    velocity : ndarray of the dtype and shape of param, optional
        Changed in place; zeros before the first step. Needed for momentum.
    learning_rate, momentum, weight_decay : float
        Not negative; momentum at most 1.
    nesterov : bool

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    state = {} if velocity is None else {"velocity": velocity}
    param, grad, *rest = _spans(param, grad, **state)
    rate = checks.number("learning_rate", learning_rate, 0.0)
    momentum = checks.number("momentum", momentum, 0.0, 1.0)
    if velocity is None and (momentum or nesterov):
        raise ArgumentError(
            "velocity must be an array for momentum or nesterov, got None; pass np.zeros_like(param)"
        )
    decay = checks.number("weight_decay", weight_decay, 0.0)
    kernels.sgd_update_inplace(
        param, grad, rest[0] if rest else param[:0], rate, momentum, bool(nesterov), decay
    )


@also_on_cuda
def adam_update_inplace(
    param, grad, m, v, step, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0
):
    """Take one step of Adam, in place.

    Parameters
    ----------
    param : ndarray of float32 or float64, any shape
        Changed in place.
    grad : ndarray of the dtype and shape of param
    m, v : ndarray of the dtype and shape of param
        Moments, changed in place; zeros before the first step.
    step : int
        Number of this step, counted from 1.
    learning_rate, eps, weight_decay : float
        Not negative.
    beta1, beta2 : float
        In [0, 1).

    Raises
    ------
    DtypeError, ShapeError, ArgumentError
    """
    param, grad, m, v = _spans(param, grad, m=m, v=v)
    step, rate = checks.whole("step", step, 1), checks.number("learning_rate", learning_rate, 0.0)
    below_one = np.nextafter(1.0, 0.0)
    beta1, beta2 = (
        checks.number("beta1", beta1, 0.0, below_one),
        checks.number("beta2", beta2, 0.0, below_one),
    )
    eps, decay = checks.number("eps", eps, 0.0), checks.number("weight_decay", weight_decay, 0.0)
    kernels.adam_update_inplace(param, grad, m, v, step, rate, beta1, beta2, eps, decay)
