"""One optimizer step over a span of parameters of any shape, in place."""

import math

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.views import flat, optional


@kernel
def sgd_update_inplace(param, grad, velocity, learning_rate, momentum, nesterov, weight_decay):
    """Take one step of stochastic gradient descent.

    With g = grad + weight_decay * param: without velocity, param -= learning_rate * g. With it,
    velocity = momentum * velocity + g, and param -= learning_rate * velocity, or for Nesterov
    param -= learning_rate * (g + momentum * velocity).

    Parameters
    ----------
    param : ndarray of float32 or float64, any shape
        Changed in place. C-contiguous. Nothing is checked.
    grad : ndarray of the dtype and shape of param
    velocity : ndarray of the dtype and shape of param, or None
        None or empty for none. Changed in place; zeros before the first step.
    learning_rate, momentum : float
    nesterov : bool
    weight_decay : float
        L2 penalty, added to the gradient.

    Notes
    -----
    Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, in the form that
    keeps the learning rate out of the velocity.
    """
    p, g, dtype = flat(param), flat(grad), param.dtype.type
    rate, decay, keep = dtype(learning_rate), dtype(weight_decay), dtype(momentum)
    v = optional(velocity, g)
    if v.size == 0:
        for i in range(p.size):
            p[i] -= rate * (g[i] + decay * p[i])
    else:
        own = dtype(1) if nesterov else dtype(0)
        along = keep if nesterov else dtype(1)
        for i in range(p.size):
            gradient = g[i] + decay * p[i]
            v[i] = keep * v[i] + gradient
            p[i] -= rate * (own * gradient + along * v[i])


@kernel
def adam_update_inplace(param, grad, m, v, step, learning_rate, beta1, beta2, eps, weight_decay):
    """Take one step of Adam.

    Parameters
    ----------
    param : ndarray of float32 or float64, any shape
        Changed in place. C-contiguous. Nothing is checked.
    grad : ndarray of the dtype and shape of param
    m, v : ndarray of the dtype and shape of param
        First and second moment, changed in place; zeros before the first step.
    step : int
        Number of this step, counted from 1, for the correction of the moments' bias.
    learning_rate, beta1, beta2 : float
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        L2 penalty, added to the gradient.

    Notes
    -----
    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    dtype = param.dtype.type
    p, g = flat(param), flat(grad)
    first, second = flat(m), flat(v)
    rate = dtype(learning_rate / (1.0 - beta1**step))
    root_scale = dtype(1.0 / math.sqrt(1.0 - beta2**step))
    decay, floor = dtype(weight_decay), dtype(eps)
    new1, new2 = dtype(1.0 - beta1), dtype(1.0 - beta2)
    for i in range(p.size):
        gradient = g[i] + decay * p[i]
        first[i] += new1 * (gradient - first[i])
        second[i] += new2 * (gradient * gradient - second[i])
        p[i] -= rate * first[i] / (math.sqrt(second[i]) * root_scale + floor)
