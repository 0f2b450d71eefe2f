"""Threads: a compiled function that releases the GIL, run by plain Python threads on blocks of rows."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from minibn.kernels import batch_norm_inference, dense_forward, njit, relu_forward


@njit(nogil=True)
def predict(x, weight, gamma, beta, mean, var, eps, z, y):
    """Write ReLU(batch norm(x @ weight)) to y, with z as scratch memory; both (N, O)."""
    dense_forward(x, weight, None, z)
    batch_norm_inference(z, gamma, beta, mean, var, eps, y)
    relu_forward(y, z)
    y[:] = z


def predict_in_threads(x, weight, gamma, beta, mean, var, eps=1e-5, threads=2):
    """Apply a dense layer, a batch norm in evaluation mode and a ReLU to blocks of rows at once.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, I)
    weight : ndarray of the dtype of x, shape (I, O)
    gamma, beta : ndarray of the dtype of x, shape (O,)
    mean, var : ndarray of float64, shape (O,)
        Running statistics.
    eps : float
    threads : int

    Returns
    -------
    ndarray of the dtype of x, shape (N, O)
    """
    x = np.ascontiguousarray(x)
    z, y = np.empty((2, len(x), weight.shape[1]), x.dtype)
    bounds = np.linspace(0, len(x), threads + 1).astype(int)

    def block(k):
        rows = slice(bounds[k], bounds[k + 1])
        predict(x[rows], weight, gamma, beta, mean, var, eps, z[rows], y[rows])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, [k for k in range(threads) if bounds[k] < bounds[k + 1]]))
    return y
