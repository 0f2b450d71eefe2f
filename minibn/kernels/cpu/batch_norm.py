r"""Batch normalization over the rows of an (N, C) array, or over rows and places of an (N, C, L) array.

Conventions, the same everywhere in minibn: ``eps`` is added to the variance inside the root; the biased
variance normalises; the unbiased one enters the running variance; momentum weighs the *new* value.

For one channel with batch mean :math:`\mu` and biased variance :math:`\sigma^2`,

.. math:: y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

(Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1; for (N, C, L) section 3.2). Statistics are float64
whatever x is, and as good for large means as for small ones, see :mod:`minibn.kernels.cpu.statistics`. The data is
read in blocks of rows, twice; the second pass begins with the block that the first one ended with, which is still in
the cache.
"""

import numpy as np

from minibn.kernels.compile import kernel, kernel_part, subroutine
from minibn.kernels.cpu.channels import add_sums, affine_factors, copy_channels, tilt_factors
from minibn.kernels.cpu.positions import CHANNELS, GROUP, ROWS, make_plan
from minibn.kernels.cpu.scratch import rolled, scratch_like
from minibn.kernels.cpu.statistics import batch_statistics
from minibn.kernels.cpu.sweeps import differentiate_rows, multiply_add, normalize_rows, sum_products
from minibn.kernels.cpu.tables import clear, expand, fold, invert_deviations
from minibn.kernels.cpu.views import flat


@subroutine
def affine_tables(gamma, beta, mean, inverse, plan, begin, end, center, scale, shift):
    """Fill tables with factors such that (x - center) * scale + shift = y.

    ``center`` is the mean rounded to the dtype of the data, so that subtracting it from nearby data is exact;
    what the rounding left out is folded into ``shift``, so that the second pass stays in that dtype.
    """
    affine_factors(begin, end, gamma, beta, mean, inverse, center, scale, shift)
    expand(center, plan, end - begin)
    expand(scale, plan, end - begin)
    expand(shift, plan, end - begin)


@kernel_part
def normalize(x, gamma, beta, mean, var, eps, y, relu, start, stop):
    """Write gamma * (x - mean) / sqrt(var + eps) + beta to rows start to stop, or its ReLU where ``relu`` is true."""
    plan = make_plan(x.shape[0], x.shape[1], x.size)
    center, scale, shift = scratch_like(y), scratch_like(y), scratch_like(y)
    inverse = scratch_like(mean)
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        invert_deviations(var, eps, begin, end, inverse)
        affine_tables(gamma, beta, mean, inverse, plan, begin, end, center, scale, shift)
        last = stop
        while last > start:
            first = (last - 1) // plan[ROWS] * plan[ROWS]
            normalize_rows(x, y, center, scale, shift, relu, plan, first, last, begin, end)
            last = first


@kernel_part
def tilt_tables(mean, inverse, plan, n, begin, end, dy_sum, product_sum, dy_mean, slope, offset):
    r"""Fill tables with factors such that dx = (dy - dy_mean + (x - center) * slope + offset) * scale.

    That is :math:`dx = \gamma s\,(dy - \overline{dy} - \hat x\,\overline{dy\,\hat x})` with
    :math:`s = 1/\sqrt{\sigma^2+\epsilon}` (Ioffe and Szegedy 2015, section 3), with both centres rounded to
    the dtype of the data and their remainders folded into ``offset``. ``product_sum`` becomes dgamma.
    """
    tilt_factors(begin, end, mean, inverse, dy_sum, product_sum, dy_mean, slope, offset, 1.0 / n)
    expand(dy_mean, plan, end - begin)
    expand(slope, plan, end - begin)
    expand(offset, plan, end - begin)


@kernel_part
def _small_batch(dy, x, gamma, mean, inverse, begin, end, center, scale, shift, dx, dgamma, dbeta, relu):
    """Write all gradients in float64: of two values per channel, the terms of dx cancel to eps / var of them."""
    gap, step = (mean.size, 1) if dy.shape[0] == 2 else (1, 2)
    dy, x, dx = flat(dy), flat(x), flat(dx)
    for q in range(end - begin):
        rolled()
        j = begin + q
        t, first, total, product = q * step, j * step, 0.0, 0.0
        for k in (first, first + gap):
            rolled()
            closed = relu is not None and multiply_add(x[k] - center[t], scale[t], shift[t]) <= 0
            upstream = 0.0 if closed else np.float64(dy[k])
            dx[k] = upstream
            total += upstream
            product += upstream * ((np.float64(x[k]) - mean[j]) * inverse[q])
        dgamma[j], dbeta[j] = product, total
        for k in (first, first + gap):
            rolled()
            normalized = (np.float64(x[k]) - mean[j]) * inverse[q]
            dx[k] = (dx[k] - total / 2 - normalized * (product / 2)) * (gamma[j] * inverse[q])


@kernel_part
def block_products(
    dy, x, plan, first, last, begin, end, center, deviation, scale, shift, sums, products, relu
):
    """Write the sums of dy and of dy * (x - center) * deviation over a block to the beginning of two tables."""
    clear(sums, plan)
    clear(products, plan)
    sum_products(dy, x, center, deviation, scale, shift, sums, products, relu, plan, first, last, begin, end)
    fold(sums, plan, end - begin)
    fold(products, plan, end - begin)


@kernel_part
def deviation_table(inverse, plan, channels, deviation):
    """Expand 1 / sqrt(var + eps), in the dtype of the data."""
    copy_channels(0, channels, inverse, deviation)
    expand(deviation, plan, channels)


@kernel_part
def differentiate(dy, x, gamma, beta, mean, var, eps, dx, dgamma, dbeta, relu):
    """Write the gradients of :func:`normalize` where ``mean`` and ``var`` are those of x itself."""
    rows, plan = x.shape[0], make_plan(x.shape[0], x.shape[1], x.size)
    inverse, deviation = scratch_like(mean), scratch_like(x)
    center, scale, shift = scratch_like(x), scratch_like(x), scratch_like(x)
    dy_mean, slope, offset = scratch_like(x), scratch_like(x), scratch_like(x)
    sums, products = scratch_like(mean), scratch_like(mean)
    dy_sum, product_sum = scratch_like(mean), scratch_like(mean)
    step, n = plan[ROWS], x.size // mean.size
    for begin in range(0, plan[CHANNELS], plan[GROUP]):
        end = min(begin + plan[GROUP], plan[CHANNELS])
        channels = end - begin
        invert_deviations(var, eps, begin, end, inverse)
        affine_tables(gamma, beta, mean, inverse, plan, begin, end, center, scale, shift)
        if n == 2:
            _small_batch(
                dy, x, gamma, mean, inverse, begin, end, center, scale, shift, dx, dgamma, dbeta, relu
            )
            continue
        deviation_table(inverse, plan, channels, deviation)
        clear(dy_sum, plan)
        clear(product_sum, plan)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            block_products(
                dy, x, plan, first, last, begin, end, center, deviation, scale, shift, sums, products, relu
            )
            add_sums(0, channels, dy_sum, product_sum, sums, products)
        tilt_tables(mean, inverse, plan, n, begin, end, dy_sum, product_sum, dy_mean, slope, offset)
        copy_channels(begin, end, product_sum, dgamma)
        copy_channels(begin, end, dy_sum, dbeta)
        for first in range((rows - 1) // step * step, -1, -step):
            last = min(first + step, rows)
            differentiate_rows(
                dy, x, dx, center, slope, offset, dy_mean, scale, shift, relu, plan, first, last, begin, end
            )  # fmt: skip


@kernel
def batch_norm_forward(x, gamma, beta, eps, y, mean, var):
    """Normalise each column by its own batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous, N at least 1. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.
    mean, var : ndarray of float64, shape (C,)
        Outputs: batch mean and *biased* batch variance.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1. A constant feature gives exactly beta.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.kernels import batch_norm_forward
    >>> x = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]])
    >>> y, mean, var = np.empty_like(x), np.empty(2), np.empty(2)
    >>> batch_norm_forward(x, np.ones(2), np.zeros(2), 1e-5, y, mean, var)
    >>> mean, var.round(3)
    (array([ 2., 30.]), array([  0.667, 466.667]))
    """
    batch_statistics(x, mean, var)
    normalize(x, gamma, beta, mean, var, eps, y, False, 0, x.shape[0])


@kernel
def batch_norm_inference(x, gamma, beta, mean, var, eps, y):
    """Normalise with given statistics: y = gamma * (x - mean) / sqrt(var + eps) + beta.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous. Nothing is checked.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        Running statistics.
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 2, step 11.
    """
    normalize(x, gamma, beta, mean, var, eps, y, False, 0, x.shape[0])


@kernel
def batch_norm_backward(dy, x, gamma, mean, var, eps, dx, dgamma, dbeta):
    """Differentiate :func:`batch_norm_forward`, through the batch statistics.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        The input of the forward pass. C-contiguous. Nothing is checked.
    gamma : ndarray of the dtype of x, shape (C,)
    mean, var : ndarray of float64, shape (C,)
        What the forward pass wrote.
    eps : float
        The same as in the forward pass.
    dx : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output.
    dgamma, dbeta : ndarray of the dtype of x, shape (C,)
        Outputs.

    Notes
    -----
    Ioffe and Szegedy 2015, section 3; derived step by step in docs/gradients.md.
    """
    # Without a ReLU beta plays no part; gamma stands in for it.
    differentiate(dy, x, gamma, gamma, mean, var, eps, dx, dgamma, dbeta, None)
