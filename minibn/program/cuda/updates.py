"""Optimizer steps over a span of parameters, played by one block or by a grid of them."""

import math

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_sums import ONE, ZERO

SCALARS_OF_OPTIMIZER = 5
"""Numbers of an update, each of two parts: the second part is so many entries behind the first."""


@device_function
def sgd_entries(m, param, grad, velocity, scalars, rate, size):
    """Take one step of SGD; ``velocity`` is -1 for none.

    The scalars are learning rate, weight decay, momentum, and whether it is Nesterov's, as in
    :func:`minibn.kernels.sgd_update_inplace`.
    """
    decay, keep, nesterov = m[scalars + 1], m[scalars + 2], m[scalars + 3] != ZERO
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        gradient = m[grad + p] + decay * m[param + p]
        if velocity >= 0:
            speed = keep * m[velocity + p] + gradient
            m[velocity + p] = speed
            gradient = gradient + keep * speed if nesterov else speed
        m[param + p] -= rate * gradient


@device_function
def _complement(m, at):
    """Return 1 - b for a number b of two parts, whose difference from 1 is small."""
    return (ONE - m[at]) - m[at + SCALARS_OF_OPTIMIZER]


@device_function
def adam_entries(m, param, grad, first_moment, second_moment, scalars, rate, number, size):
    """Take step ``number`` of Adam (Kingma and Ba 2015, algorithm 1).

    The scalars are learning rate, weight decay, beta1, beta2 and eps. 1 - beta ** number comes from the small
    1 - beta, which float32 holds to 7 digits, where beta itself has lost 4 of them.
    """
    decay, floor = m[scalars + 1], m[scalars + 4]
    new1, new2 = _complement(m, scalars + 2), _complement(m, scalars + 3)
    rate /= -math.expm1(number * math.log1p(-new1))
    root_scale = ONE / math.sqrt(-math.expm1(number * math.log1p(-new2)))
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        gradient = m[grad + p] + decay * m[param + p]
        mean = m[first_moment + p] + new1 * (gradient - m[first_moment + p])
        square = m[second_moment + p] + new2 * (gradient * gradient - m[second_moment + p])
        m[first_moment + p], m[second_moment + p] = mean, square
        m[param + p] -= rate * mean / (math.sqrt(square) * root_scale + floor)
