"""Activations, entry by entry, played by one block or by a grid of them."""

import math

from minibn.kernels.cuda.target import cuda, device_function
from minibn.program.cuda.block_sums import ONE, ZERO


@device_function
def relu_entries(m, x, y, size):
    """Write max(0, x); NaN stays NaN."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        value = m[x + p]
        m[y + p] = ZERO if value <= ZERO else value


@device_function
def relu_backward_entries(m, dy, y, dx, size):
    """Write dx = dy where y > 0, else 0."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        m[dx + p] = ZERO if m[y + p] <= ZERO else m[dy + p]


@device_function
def sigmoid_entries(m, x, y, size):
    """Write 1 / (1 + exp(-x)), without overflow at either end."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        value = m[x + p]
        e = math.exp(-abs(value))
        m[y + p] = (ONE if value >= ZERO else e) / (ONE + e)


@device_function
def sigmoid_backward_entries(m, dy, y, dx, size):
    """Write dx = dy * y * (1 - y)."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        value = m[y + p]
        m[dx + p] = m[dy + p] * (value * (ONE - value))


@device_function
def tanh_entries(m, x, y, size):
    """Write the hyperbolic tangent of x."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        m[y + p] = math.tanh(m[x + p])


@device_function
def tanh_backward_entries(m, dy, y, dx, size):
    """Write dx = dy * (1 - y ** 2)."""
    for p in range(cuda.grid(1), size, cuda.gridsize(1)):
        value = m[y + p]
        m[dx + p] = m[dy + p] * ((ONE - value) * (ONE + value))
