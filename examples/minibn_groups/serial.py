"""Serial: a training loop inside one compiled function."""

import numpy as np

from minibn.kernels import (
    batch_norm_backward,
    batch_norm_forward,
    dense_backward,
    dense_forward,
    njit,
    sgd_update_inplace,
    squared_error_backward,
    squared_error_forward,
)

EPS = 1e-5


@njit(error_model="numpy", nogil=True)
def descend(x, target, weight, gamma, beta, steps, learning_rate, momentum):
    """Train in place and return the loss before each step, float64 of shape (steps,)."""
    rows, units = target.shape
    z, y = np.empty((rows, units), x.dtype), np.empty((rows, units), x.dtype)
    dy, dz = np.empty_like(y), np.empty_like(y)
    mean, var = np.empty(units), np.empty(units)
    dweight, dgamma, dbeta = np.empty_like(weight), np.empty_like(gamma), np.empty_like(beta)
    velocities = np.zeros_like(weight), np.zeros_like(gamma), np.zeros_like(beta)
    losses = np.empty(steps)
    for step in range(steps):
        dense_forward(x, weight, None, z)
        batch_norm_forward(z, gamma, beta, EPS, y, mean, var)
        losses[step] = squared_error_forward(y, target)
        squared_error_backward(y, target, dy)
        batch_norm_backward(dy, z, gamma, mean, var, EPS, dz, dgamma, dbeta)
        dense_backward(dz, x, weight, None, dweight, None)
        sgd_update_inplace(weight, dweight, velocities[0], learning_rate, momentum, False, 0.0)
        sgd_update_inplace(gamma, dgamma, velocities[1], learning_rate, momentum, False, 0.0)
        sgd_update_inplace(beta, dbeta, velocities[2], learning_rate, momentum, False, 0.0)
    return losses


def fit_linear(x, target, steps=200, learning_rate=0.05, momentum=0.9, seed=0):
    """Fit a dense layer with a batch norm behind it by gradient descent on the squared error.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
    target : ndarray of the dtype of x, shape (N, O)
    steps : int
    learning_rate, momentum : float
    seed : int
        Of the initial weights.

    Returns
    -------
    parameters : dict of str to ndarray
        ``weight`` (I, O), ``gamma`` (O,), ``beta`` (O,).
    losses : ndarray of float64, shape (steps,)
    """
    x, target = np.ascontiguousarray(x), np.ascontiguousarray(target, x.dtype)
    units = target.shape[1]
    weight = np.random.default_rng(seed).standard_normal((x.shape[1], units)).astype(x.dtype)
    gamma, beta = np.ones(units, x.dtype), np.zeros(units, x.dtype)
    losses = descend(x, target, weight, gamma, beta, steps, learning_rate, momentum)
    return {"weight": weight, "gamma": gamma, "beta": beta}, losses
