r"""Batch normalization of rows that have weights: a row of weight 2 counts as two, one of weight 0 not at all.

With weights :math:`w_i` and :math:`W = \sum_i w_i`, the statistics of one channel are

.. math:: \mu = \frac{1}{W} \sum_i w_i x_i, \qquad \sigma^2 = \frac{1}{W} \sum_i w_i (x_i - \mu)^2

and the rest is Ioffe and Szegedy 2015, algorithm 1. All sums are float64. The mean is taken around the first row
that counts, the variance in a second pass around that mean, so that both are exact at any mean and a constant
channel has a variance of exactly 0. Rows of weight 0 are passed over, not multiplied by 0: whatever they hold,
NaN included, reaches only their own outputs.
"""

import math

import numpy as np

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.batch_norm import normalize
from minibn.kernels.cpu.channels import UNDERFLOW, VARIED
from minibn.kernels.cpu.scratch import TILE, scratch_like
from minibn.kernels.cpu.tables import invert_deviations
from minibn.kernels.cpu.views import flat, vector


@kernel_part
def total_weight(weight):
    """Return the sum of the weights, added from the first to the last."""
    total = 0.0
    for i in range(weight.size):
        total += weight[i]
    return total


@kernel_part
def _first_counted(weight):
    """Return the number of the first row whose weight is not 0; 0 where there is none."""
    first = 0
    while first < weight.size - 1 and weight[first] == 0:
        first += 1
    return first


@kernel_part
def _expand_centers(center, length, begin, width, table):
    """Write one entry per channel to each of its positions."""
    for q in range(width):
        table[q] = center[(begin + q) // length]


@kernel_part
def _add_weighted_differences(data, weight, share, table, power, positions, begin, width, sums):
    """Add share * weight * (x - center) ** power of every row that counts; power is 1 or 2."""
    for i in range(weight.size):
        if weight[i] != 0:
            row, factor = vector(data, i * positions + begin, width), weight[i] * share
            if power == 1:
                for q in range(width):
                    sums[q] += (np.float64(row[q]) - table[q]) * factor
            else:
                for q in range(width):
                    difference = np.float64(row[q]) - table[q]
                    # the mark keeps a channel whose squares vanish from looking constant
                    sums[q] += (difference * difference + VARIED * (difference != 0.0)) * factor


@kernel_part
def _sum_channels(x, weight, share, center, power, out):
    """Add the weighted powers of the differences from ``center`` to ``out``, one entry per channel."""
    data, positions = flat(x), x.size // x.shape[0]
    length = positions // out.size
    table, sums = scratch_like(out), scratch_like(out)
    for begin in range(0, positions, TILE):
        width = min(TILE, positions - begin)
        _expand_centers(center, length, begin, width, table)
        for q in range(width):
            sums[q] = 0.0
        _add_weighted_differences(data, weight, share, table, power, positions, begin, width, sums)
        for q in range(width):
            out[(begin + q) // length] += sums[q]


@kernel
def weighted_statistics(x, weight, mean, var):
    """Compute weighted mean and biased variance of each channel, exactly at any mean.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous. Nothing is checked.
    weight : ndarray of float64, shape (N,)
        Not negative, at least one positive; NaN comes out where none is.
    mean, var : ndarray of float64, shape (C,)
        Outputs. ``var`` is NaN where squares leave the range of float64.
    """
    length = x.size // (x.shape[0] * mean.size)
    share = 1.0 / (total_weight(weight) * length)
    data, first = flat(x), _first_counted(weight) * mean.size * length
    for j in range(mean.size):
        var[j], mean[j] = data[first + j * length], 0.0
    _sum_channels(x, weight, share, var, 1, mean)  # ``var`` holds the centres
    for j in range(mean.size):
        mean[j] += var[j]
        var[j] = 0.0
    _sum_channels(x, weight, share, mean, 2, var)
    for j in range(var.size):
        if var[j] != 0.0 and var[j] < UNDERFLOW:
            var[j] = math.nan


@kernel
def batch_norm_weighted_forward(x, weight, gamma, beta, eps, y, mean, var):
    """Normalise each column by its weighted batch statistics, then scale and shift.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        C-contiguous. Nothing is checked.
    weight : ndarray of float64, shape (N,)
        How often each row counts in the statistics: not negative, at least one positive.
    gamma, beta : ndarray of the dtype of x, shape (C,)
    eps : float
        Added to the variance inside the root.
    y : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Output, of rows of weight 0 too.
    mean, var : ndarray of float64, shape (C,)
        Outputs: weighted mean and *biased* weighted variance.

    Notes
    -----
    Ioffe and Szegedy 2015, algorithm 1, with each row taken ``weight`` times.
    """
    weighted_statistics(x, weight, mean, var)
    normalize(x, gamma, beta, mean, var, eps, y, False, 0, x.shape[0])


@kernel_part
def _add_products(dy, x, weight, table, positions, begin, width, sums, products):
    """Add dy and dy * (x - mean) of every row; a row of weight 0 adds nothing where its dy is 0."""
    for i in range(weight.size):
        upstream = vector(dy, i * positions + begin, width)
        row = vector(x, i * positions + begin, width)
        if weight[i] != 0:
            for q in range(width):
                value = np.float64(upstream[q])
                sums[q] += value
                products[q] += value * (np.float64(row[q]) - table[q])
        else:
            for q in range(width):
                if upstream[q] != 0:
                    sums[q] += np.float64(upstream[q])
                    products[q] += np.float64(upstream[q]) * (np.float64(row[q]) - table[q])


@kernel_part
def _write_gradients(dy, x, weight, share, center, slope, level, scale, positions, begin, width, dx):
    """Write dx = scale * (dy - weight * share * (level + (x - mean) * slope))."""
    for i in range(weight.size):
        start, factor = i * positions + begin, weight[i] * share
        upstream, row, out = vector(dy, start, width), vector(x, start, width), vector(dx, start, width)
        if factor != 0:
            for q in range(width):
                pull = level[q] + (np.float64(row[q]) - center[q]) * slope[q]
                out[q] = (np.float64(upstream[q]) - factor * pull) * scale[q]
        else:
            for q in range(width):
                out[q] = np.float64(upstream[q]) * scale[q]


@kernel
def batch_norm_weighted_backward(dy, x, weight, gamma, mean, var, eps, dx, dgamma, dbeta):
    """Differentiate :func:`batch_norm_weighted_forward`, through the weighted statistics; weights are constants.

    Parameters
    ----------
    dy : ndarray of the dtype of x, shape (N, C) or (N, C, L)
        Gradient of the loss by y.
    x : ndarray of float32 or float64, shape (N, C) or (N, C, L)
        The input of the forward pass. C-contiguous. Nothing is checked.
    weight : ndarray of float64, shape (N,)
        The same as in the forward pass.
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
    Derived in docs/gradients.md. A row of weight 0 whose ``dy`` is 0 changes nothing, even where it holds NaN.
    """
    upstream, data, target = flat(dy), flat(x), flat(dx)
    positions = x.size // x.shape[0]
    length = positions // mean.size
    share, group = 1.0 / (total_weight(weight) * length), max(TILE // length, 1)
    inverse, sums, products = scratch_like(mean), scratch_like(mean), scratch_like(mean)
    dy_sum, product_sum, center = scratch_like(mean), scratch_like(mean), scratch_like(mean)
    slope, level, scale = scratch_like(mean), scratch_like(mean), scratch_like(mean)
    for first in range(0, mean.size, group):
        last = min(first + group, mean.size)
        invert_deviations(var, eps, first, last, inverse)
        for j in range(last - first):
            dy_sum[j] = product_sum[j] = 0.0
        for begin in range(first * length, last * length, TILE):
            width = min(TILE, last * length - begin)
            _expand_centers(mean, length, begin, width, center)
            for q in range(width):
                sums[q] = products[q] = 0.0
            _add_products(upstream, data, weight, center, positions, begin, width, sums, products)
            for q in range(width):
                j = (begin + q) // length - first
                dy_sum[j] += sums[q]
                product_sum[j] += products[q] * inverse[j]
        for j in range(last - first):
            dgamma[first + j], dbeta[first + j] = product_sum[j], dy_sum[j]
        for begin in range(first * length, last * length, TILE):
            width = min(TILE, last * length - begin)
            _expand_centers(mean, length, begin, width, center)
            for q in range(width):
                j = (begin + q) // length - first
                level[q], slope[q] = dy_sum[j], product_sum[j] * inverse[j]
                scale[q] = gamma[first + j] * inverse[j]
            _write_gradients(
                upstream, data, weight, share, center, slope, level, scale, positions, begin, width, target
            )
