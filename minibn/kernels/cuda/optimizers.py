"""One optimizer step over a span of parameters of any shape, in place, on CUDA."""

import functools
import math

import numpy as np
from numba import float32

from minibn.kernels.cuda.arrays import flat, given
from minibn.kernels.cuda.elementwise import launch, size_of
from minibn.kernels.cuda.target import cuda, device_function, kernel
from minibn.kernels.cuda.vectors import make_vectors


@functools.cache
def make_descend(width, threads):
    """Return the kernel of gradient descent without velocity."""
    load, store = make_vectors(width)

    @device_function
    def move(p, g, k, rate, decay):
        p[k] -= rate * (g[k] + decay * p[k])

    @kernel(threads)
    def descend(param, grad, size, rate, decay):
        p = cuda.local.array(width, float32)
        g = cuda.local.array(width, float32)
        first = cuda.grid(1)
        whole = size // width
        for step in range(first, whole, cuda.gridsize(1)):
            at = np.int64(step) * width
            load(param, at, p, 0)
            load(grad, at, g, 0)
            for k in range(width):
                move(p, g, k, rate, decay)
            store(param, at, p, 0)
        rest = np.int64(whole) * width + first
        if rest < size:
            p[0] = param[rest]
            g[0] = grad[rest]
            move(p, g, 0, rate, decay)
            param[rest] = p[0]

    return descend


@functools.cache
def make_descend_with_velocity(width, threads):
    """Return the kernel of gradient descent with velocity: param -= rate * (own * g + along * velocity)."""
    load, store = make_vectors(width)

    @device_function
    def move(p, g, v, k, rate, decay, momentum, own, along):
        gradient = g[k] + decay * p[k]
        v[k] = momentum * v[k] + gradient
        p[k] -= rate * (own * gradient + along * v[k])

    @kernel(threads)
    def descend_with_velocity(param, grad, velocity, size, rate, decay, momentum, own, along):
        p = cuda.local.array(width, float32)
        g = cuda.local.array(width, float32)
        v = cuda.local.array(width, float32)
        first = cuda.grid(1)
        whole = size // width
        for step in range(first, whole, cuda.gridsize(1)):
            at = np.int64(step) * width
            load(param, at, p, 0)
            load(grad, at, g, 0)
            load(velocity, at, v, 0)
            for k in range(width):
                move(p, g, v, k, rate, decay, momentum, own, along)
            store(velocity, at, v, 0)
            store(param, at, p, 0)
        rest = np.int64(whole) * width + first
        if rest < size:
            p[0] = param[rest]
            g[0] = grad[rest]
            v[0] = velocity[rest]
            move(p, g, v, 0, rate, decay, momentum, own, along)
            velocity[rest] = v[0]
            param[rest] = p[0]

    return descend_with_velocity


@functools.cache
def make_adapt(width, threads):
    """Return the kernel of Adam."""
    load, store = make_vectors(width)

    @device_function
    def move(p, g, a, b, k, rate, root_scale, new1, new2, floor, decay):
        gradient = g[k] + decay * p[k]
        a[k] += new1 * (gradient - a[k])
        b[k] += new2 * (gradient * gradient - b[k])
        p[k] -= rate * a[k] / (math.sqrt(b[k]) * root_scale + floor)

    @kernel(threads)
    def adapt(param, grad, m, v, size, rate, root_scale, new1, new2, floor, decay):
        p = cuda.local.array(width, float32)
        g = cuda.local.array(width, float32)
        a = cuda.local.array(width, float32)
        b = cuda.local.array(width, float32)
        first = cuda.grid(1)
        whole = size // width
        for step in range(first, whole, cuda.gridsize(1)):
            at = np.int64(step) * width
            load(param, at, p, 0)
            load(grad, at, g, 0)
            load(m, at, a, 0)
            load(v, at, b, 0)
            for k in range(width):
                move(p, g, a, b, k, rate, root_scale, new1, new2, floor, decay)
            store(m, at, a, 0)
            store(v, at, b, 0)
            store(param, at, p, 0)
        rest = np.int64(whole) * width + first
        if rest < size:
            p[0] = param[rest]
            g[0] = grad[rest]
            a[0] = m[rest]
            b[0] = v[rest]
            move(p, g, a, b, 0, rate, root_scale, new1, new2, floor, decay)
            m[rest] = a[0]
            v[rest] = b[0]
            param[rest] = p[0]

    return adapt


def sgd_update_inplace(param, grad, velocity, learning_rate, momentum, nesterov, weight_decay, *, stream=0):
    """Take one step of stochastic gradient descent; the formulas are those of the CPU.

    Parameters
    ----------
    param : device array of float32, any shape
        Changed in place. C-contiguous.
    grad : device array of float32, the shape of param
    velocity : device array of float32, the shape of param, or None
        Changed in place; zeros before the first step.
    learning_rate, momentum : float
    nesterov : bool
    weight_decay : float
        L2 penalty, added to the gradient.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.
    """
    rate, decay, keep = np.float32(learning_rate), np.float32(weight_decay), np.float32(momentum)
    arrays = {"param": param, "grad": grad}
    if given(velocity):
        arrays["velocity"] = velocity
    size = size_of(**arrays)
    plain = [flat(name, array) for name, array in arrays.items()]
    if len(plain) == 2:
        launch(make_descend, plain, stream)(*plain, size, rate, decay)
        return
    own, along = (np.float32(1), keep) if nesterov else (np.float32(0), np.float32(1))
    launch(make_descend_with_velocity, plain, stream)(*plain, size, rate, decay, keep, own, along)


def adam_update_inplace(param, grad, m, v, step, learning_rate, beta1, beta2, eps, weight_decay, *, stream=0):
    """Take one step of Adam.

    Parameters
    ----------
    param : device array of float32, any shape
        Changed in place. C-contiguous.
    grad : device array of float32, the shape of param
    m, v : device array of float32, the shape of param
        First and second moment, changed in place; zeros before the first step.
    step : int
        Number of this step, counted from 1, for the correction of the moments' bias.
    learning_rate, beta1, beta2 : float
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        L2 penalty, added to the gradient.
    stream : Stream
        Of ``numba.cuda``; 0 for the default.

    Raises
    ------
    DeviceError, DtypeError, ShapeError

    Notes
    -----
    Kingma and Ba 2015, arXiv:1412.6980, algorithm 1.
    """
    arrays = {"param": param, "grad": grad, "m": m, "v": v}
    size = size_of(**arrays)
    plain = [flat(name, array) for name, array in arrays.items()]
    rate, root_scale = learning_rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    factors = rate, root_scale, 1 - beta1, 1 - beta2, eps, weight_decay
    launch(make_adapt, plain, stream)(*plain, size, *map(np.float32, factors))
