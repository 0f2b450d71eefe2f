r"""Batch normalization over the rows of an (N, C) array.

Conventions, the same everywhere in minibn: ``eps`` is added to the variance inside the root; the biased
variance normalises; the unbiased one enters the running variance; momentum weighs the *new* value.

For one feature with batch mean :math:`\mu` and biased variance :math:`\sigma^2`,

.. math:: y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

(Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1). Statistics are float64 whatever x is, and are taken
in two passes around the first row, never as E[x^2] - E[x]^2.
"""

import numpy as np

from minibn.kernels.compile import kernel
from minibn.kernels.cpu.scratch import TILE, scratch_like
from minibn.kernels.cpu.statistics import batch_statistics, inverse_deviation


@kernel
def _affine(gamma, beta, mean, var, eps, start, center, scale, shift):
    """Write factors with (x - center) * scale + shift = y, for the columns from ``start`` on.

    ``center`` is the mean rounded to the dtype of the data, so that subtracting it from nearby data is exact;
    what the rounding left out is folded into ``shift``, so that the second pass stays in that dtype.
    """
    for k in range(min(TILE, mean.size - start)):
        j = start + k
        factor = gamma[j] * inverse_deviation(var[j], eps)
        center[k] = mean[j]
        scale[k] = factor
        shift[k] = beta[j] - (mean[j] - np.float64(center[k])) * factor


@kernel
def _rectified(value, relu):
    """Return the value, or its ReLU where ``relu`` is not None. NaN stays NaN."""
    if relu is None:
        return value
    return value if not value <= 0 else 0.0


@kernel
def normalize(x, gamma, beta, mean, var, eps, y, relu):
    """Write gamma * (x - mean) / sqrt(var + eps) + beta, or the ReLU of it where ``relu`` is not None."""
    center, scale, shift = scratch_like(y), scratch_like(y), scratch_like(y)
    rows, columns = x.shape
    for start in range(0, columns, TILE):
        stop = min(start + TILE, columns)
        _affine(gamma, beta, mean, var, eps, start, center, scale, shift)
        for i in range(rows):
            x_row, y_row = x[i, start:stop], y[i, start:stop]
            for k in range(stop - start):
                y_row[k] = _rectified((x_row[k] - center[k]) * scale[k] + shift[k], relu)


@kernel
def _upstream(dy, x, center, scale, shift, relu):
    """Return dy, or 0 where a ReLU behind the batch norm was closed."""
    if relu is None:
        return dy
    return dy if not (x - center) * scale + shift <= 0 else 0.0


@kernel
def _sums(dy, x, mean, start, stop, center, scale, shift, dy_sum, product_sum, relu):
    """Write the column sums of dy and of dy * (x - mean), in float64."""
    for k in range(stop - start):
        dy_sum[k] = product_sum[k] = 0.0
    tile_mean = mean[start:stop]
    for i in range(x.shape[0]):
        dy_row, x_row = dy[i, start:stop], x[i, start:stop]
        for k in range(stop - start):
            upstream = np.float64(_upstream(dy_row[k], x_row[k], center[k], scale[k], shift[k], relu))
            dy_sum[k] += upstream
            product_sum[k] += upstream * (np.float64(x_row[k]) - tile_mean[k])


@kernel
def _tilt(mean, var, eps, rows, start, center, dy_sum, product_sum, dy_mean, slope, offset):
    r"""Write factors with dx = (dy - dy_mean + (x - center) * slope + offset) * scale.

    That is :math:`dx = \gamma s\,(dy - \overline{dy} - \hat x\,\overline{dy\,\hat x})` with
    :math:`s = 1/\sqrt{\sigma^2+\epsilon}` (Ioffe and Szegedy 2015, section 3), with both centres rounded to
    the dtype of the data and their remainders folded into ``offset``. ``product_sum`` becomes dgamma.
    """
    for k in range(min(TILE, mean.size - start)):
        inverse = inverse_deviation(var[start + k], eps)
        product_sum[k] *= inverse
        mean_dy, steepness = dy_sum[k] / rows, -product_sum[k] * inverse / rows
        dy_mean[k], slope[k] = mean_dy, steepness
        rest = np.float64(center[k]) - mean[start + k]
        offset[k] = (np.float64(dy_mean[k]) - mean_dy) + rest * steepness


@kernel
def _small_batch(dy, x, mean, var, eps, gamma, start, center, scale, shift, dy_sum, product_sum, dx, relu):
    """Write dx in float64: in a batch of two rows its terms cancel to eps / var of their size."""
    rows = x.shape[0]
    for k in range(min(TILE, mean.size - start)):
        j = start + k
        inverse = inverse_deviation(var[j], eps)
        tilt, mean_dy = product_sum[k] * inverse / rows, dy_sum[k] / rows
        for i in range(rows):
            upstream = np.float64(_upstream(dy[i, j], x[i, j], center[k], scale[k], shift[k], relu))
            dx[i, j] = (upstream - mean_dy - (np.float64(x[i, j]) - mean[j]) * tilt) * (gamma[j] * inverse)


@kernel
def differentiate(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, relu):
    """Write the gradients of :func:`normalize` where ``mean`` and ``var`` are those of x itself."""
    center, scale, shift = scratch_like(x), scratch_like(x), scratch_like(x)
    dy_mean, slope, offset = scratch_like(x), scratch_like(x), scratch_like(x)
    dy_sum, product_sum = scratch_like(mean), scratch_like(mean)
    rows, columns = x.shape
    for start in range(0, columns, TILE):
        stop = min(start + TILE, columns)
        _affine(gamma, beta, mean, var, eps, start, center, scale, shift)
        _sums(dy, x, mean, start, stop, center, scale, shift, dy_sum, product_sum, relu)
        _tilt(mean, var, eps, rows, start, center, dy_sum, product_sum, dy_mean, slope, offset)
        for k in range(stop - start):
            dgamma[start + k], dbeta[start + k] = product_sum[k], dy_sum[k]
        if rows == 2:
            _small_batch(
                dy, x, mean, var, eps, gamma, start, center, scale, shift, dy_sum, product_sum, dx, relu
            )
            continue
        for i in range(rows):
            dy_row, x_row, dx_row = dy[i, start:stop], x[i, start:stop], dx[i, start:stop]
            for k in range(stop - start):
                upstream = _upstream(dy_row[k], x_row[k], center[k], scale[k], shift[k], relu)
                dx_row[k] = (upstream - dy_mean[k] + (x_row[k] - center[k]) * slope[k] + offset[k]) * scale[k]


@kernel
def batch_norm_forward(x, gamma, beta, eps, y, mean, var):
    """Normalise each column by its own batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C)
        C-contiguous, N at least 1. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C)
        Output.
    mean, var : ndarray of float64, shape (C,)
        Outputs: batch mean and *biased* batch variance.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1. A constant feature gives exactly beta.
    """
    batch_statistics(x, mean, var)
    normalize(x, gamma, beta, mean, var, eps, y, None)


@kernel
def batch_norm_inference(x, gamma, beta, mean, var, eps, y):
    """Normalise with given statistics: y = gamma * (x - mean) / sqrt(var + eps) + beta.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C)
        C-contiguous. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        Running statistics.
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C)
        Output.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 11.
    """
    normalize(x, gamma, beta, mean, var, eps, y, None)


@kernel
def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta):
    """Differentiate :func:`batch_norm_forward`, through the batch statistics.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, C)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, C)
        The input of the forward pass. C-contiguous. Nothing is checked.
    gamma : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass wrote.
    eps : float
        The same as in the forward pass.
    dx : ndarray of the dtype of x, shape (N, C)
        Output.
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)
        Outputs.

    Notes
    -----
    Ioffe and Szegedy 2015, section 3; derived step by step in docs/gradients.md.
    """
    # Without a ReLU beta plays no part; gamma stands in for it.
    differentiate(dy, x, gamma, gamma, mean, var, eps, dx, dgamma, dbeta, None)
