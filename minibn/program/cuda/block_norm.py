"""Batch norm, played by one block: statistics, running statistics, normalisation and gradients.

``m`` is the program's memory on the device, and operands are offsets into it. A mean is two float32 numbers, the
second one as many entries behind the first as there are channels; their sum is right to about 48 bits. Neighbouring threads take
neighbouring channels. ``weight_at`` is where the weights of the batch's rows begin, -1 for none, and ``total`` what
they sum up to, or the number of rows.
"""

import numpy as np

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_sums import (
    ONE,
    ZERO,
    column_total,
    exact_sum,
    finite,
    inverse_deviation,
    slices_of,
)

HALF, TWO = np.float32(0.5), np.float32(2)


@device_function
def row_weight(m, weight_at, i):
    """Return the weight of a row of the batch."""
    return m[weight_at + i] if weight_at >= 0 else ONE


@device_function
def _first_counted(m, weight_at, rows):
    first = 0
    while weight_at >= 0 and first < rows - 1 and m[weight_at + first] == ZERO:
        first += 1
    return first


@device_function
def block_statistics(m, x, mean, var, weight_at, total, rows, columns, room):
    """Write mean and biased variance of each channel, exactly at any mean.

    Around the first row that counts the differences are exact where values lie near each other, and around the
    mean so found everywhere; the second sum corrects both moments by what the first mean missed (Chan, Golub and
    LeVeque 1983, equation 1.7).
    """
    t, share, first = cuda.threadIdx.x, ONE / total, _first_counted(m, weight_at, rows)
    for begin in range(0, columns, cuda.blockDim.x):
        width = min(columns - begin, cuda.blockDim.x)
        slices = slices_of(width, rows)
        j, start = begin + t % width, t // width
        stop = rows if start < slices else 0
        shift, added = m[x + first * columns + j], ZERO
        for i in range(start, stop, slices):
            factor = row_weight(m, weight_at, i)
            if factor != ZERO:
                added += factor * (m[x + i * columns + j] - shift)
        center, rest = exact_sum(shift, column_total(added, room, width, slices) * share)
        added, squares = ZERO, ZERO
        for i in range(start, stop, slices):
            factor = row_weight(m, weight_at, i)
            if factor != ZERO:
                difference = (m[x + i * columns + j] - center) - rest
                added += factor * difference
                squares += factor * difference * difference
        missed = column_total(added, room, width, slices) * share
        spread = column_total(squares, room, width, slices) * share - missed * missed
        if t < width:
            m[mean + j], m[mean + columns + j] = exact_sum(center, rest + missed)
            m[var + j], m[var + columns + j] = ZERO if spread < ZERO else spread, ZERO


@device_function
def _move(m, low, running, target, factor, share):
    """Move a running number of two parts towards factor * target."""
    goal, rest = m[target] * factor, m[target + low] * factor
    step = share * ((goal - m[running]) + (rest - m[running + low]))
    high, lost = exact_sum(m[running], step)
    m[running], m[running + low] = exact_sum(high, lost + m[running + low])


@device_function
def block_track(m, running_mean, running_var, mean, var, scalars, counts, counter, n, columns):
    """Move running statistics towards those of a batch of n rows, unless one of the batch is not finite."""
    t, wrong, tracked = cuda.threadIdx.x, 0, counts[counter]
    for j in range(t, columns, cuda.blockDim.x):
        if not (finite(m[mean + j]) and finite(m[var + j])):
            wrong = 1
    skipped = cuda.syncthreads_or(wrong)
    if t == 0:
        counts[counter + (1 if skipped else 0)] += 1
    if not skipped:
        momentum, unbiased = m[scalars + 1], m[scalars + 2] != ZERO
        share = momentum if momentum >= ZERO else ONE / np.float32(tracked + 1)
        factor = n / (n - ONE) if unbiased and n >= TWO else ONE
        for j in range(t, columns, cuda.blockDim.x):
            _move(m, columns, running_mean + j, mean + j, ONE, share)
            _move(m, columns, running_var + j, var + j, factor, share)


@device_function
def block_normalize(m, x, gamma, beta, mean, var, eps, relu, y, rows, columns):
    """Write gamma * (x - mean) / sqrt(var + eps) + beta, or its ReLU."""
    t = cuda.threadIdx.x
    for begin in range(0, columns, cuda.blockDim.x):
        width = min(columns - begin, cuda.blockDim.x)
        slices = cuda.blockDim.x // width
        j, start = begin + t % width, t // width
        scale = m[gamma + j] * inverse_deviation(m[var + j], eps)
        center, shift = m[mean + j], m[beta + j] - m[mean + columns + j] * scale
        for i in range(start, rows if start < slices else 0, slices):
            value = (m[x + i * columns + j] - center) * scale + shift
            m[y + i * columns + j] = ZERO if relu and value <= ZERO else value


@device_function
def _upstream(m, dy, x, at, center, scale, shift, relu):
    """Return an entry of dy, 0 where the ReLU behind the batch norm is closed."""
    if relu and (m[x + at] - center) * scale + shift <= ZERO:
        return ZERO
    return m[dy + at]


@device_function
def block_norm_backward(
    m, dy, x, gamma, beta, mean, var, eps, relu, dx, dgamma, dbeta, weight_at, total, rows, columns, room
):
    r"""Write the gradients through the batch statistics.

    :math:`dx_i = \gamma s\,(dy_i - w_i (\overline{dy} + \hat x_i \overline{dy\,\hat x}))` with means over the
    weights (Ioffe and Szegedy 2015, section 3). Of two rows all but :math:`\epsilon s^2` cancels, so what is left
    is written down: :math:`dx_1 = \gamma s\,\epsilon s^2 (dy_1 - dy_2) / 2 = -dx_2`.
    """
    t, share = cuda.threadIdx.x, ONE / total
    pair = rows == 2 and weight_at < 0
    for begin in range(0, columns, cuda.blockDim.x):
        width = min(columns - begin, cuda.blockDim.x)
        slices = slices_of(width, rows)
        j, start = begin + t % width, t // width
        center, rest, inverse = m[mean + j], m[mean + columns + j], inverse_deviation(m[var + j], eps)
        scale = m[gamma + j] * inverse
        shift = m[beta + j] - rest * scale if relu else ZERO
        added, products = ZERO, ZERO
        for i in range(start, rows if start < slices else 0, slices):
            at = i * columns + j
            value = _upstream(m, dy, x, at, center, scale, shift, relu)
            if value != ZERO or row_weight(m, weight_at, i) != ZERO:
                added += value
                products += value * (((m[x + at] - center) - rest) * inverse)
        added = column_total(added, room, width, slices)
        products = column_total(products, room, width, slices)
        if t < width:
            m[dgamma + j], m[dbeta + j] = products, added
        slices = cuda.blockDim.x // width
        for i in range(start, rows if start < slices else 0, slices):
            at, factor = i * columns + j, row_weight(m, weight_at, i) * share
            value = _upstream(m, dy, x, at, center, scale, shift, relu)
            if pair:
                other = _upstream(m, dy, x, (1 - i) * columns + j, center, scale, shift, relu)
                value = (value - other) * HALF * (eps * inverse * inverse)
            elif factor != ZERO:
                value -= factor * (added + ((m[x + at] - center) - rest) * inverse * products)
            m[dx + at] = value * scale
