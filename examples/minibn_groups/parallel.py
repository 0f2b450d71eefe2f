"""Parallel: every thread owns whole groups, so that the results have the same bits for every number of threads."""

import numpy as np
from numba import prange

from minibn.kernels import batch_norm_forward, njit


@njit(parallel=True)
def normalize(x, gamma, beta, eps, y, mean, var):
    """Normalise each of G groups of rows by statistics of its own: x and y (G, N, C), mean and var (G, C)."""
    for group in prange(x.shape[0]):
        batch_norm_forward(x[group], gamma, beta, eps, y[group], mean[group], var[group])


def normalize_groups(x, gamma, beta, eps=1e-5):
    """Apply batch norm within groups of rows, as one does for subjects, plates or sites.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (G, N, C)
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float

    Returns
    -------
    y : ndarray of the dtype and shape of x
    mean, var : ndarray of float64, shape (G, C)
    """
    x = np.ascontiguousarray(x)  # then x[group] is C-contiguous too, as the kernels demand
    groups, _, channels = x.shape
    y, mean, var = np.empty_like(x), np.empty((groups, channels)), np.empty((groups, channels))
    normalize(x, gamma, beta, eps, y, mean, var)
    return y, mean, var
