"""The order of rows and the cut into batches."""

import numpy as np

from minibn.data.stream import ORDER, generator

# Rows in all from which compiled code draws orders: below, NumPy's take less than loading it.
_DRAWN_HERE = 1 << 14
_WORD = 1 << 32


def epoch_order(rows, seed, epoch):
    """Return the shuffled row indices of one epoch, shape (rows,); a function of seed and epoch alone."""
    return generator(seed, ORDER, epoch).permutation(rows)


def epoch_orders(rows, seed, first, epochs):
    """Return the orders of some epochs, counted from ``first``: :func:`epoch_order` of each, shape (epochs, rows)."""
    if epochs == 1:
        return epoch_order(rows, seed, first)[None]
    orders = np.empty((epochs, rows), np.int64)
    if orders.size >= _DRAWN_HERE and rows < _WORD and first + epochs <= _WORD:
        _draw([*_words(seed), ORDER, first], orders)
    else:
        for e in range(epochs):
            orders[e] = epoch_order(rows, seed, first + e)
    return orders


def _draw(words, orders):
    from minibn.kernels.cpu.permutation import ROOM, permute_repeatedly

    with np.errstate(over="ignore"):  # without the compiler, products that are meant to lose their upper bits
        permute_repeatedly(np.array(words, np.uint64), np.empty(ROOM, np.uint64), orders)


def _words(seed):
    """Return a seed in words of 32 bits, the lowest first."""
    return [seed % _WORD, *(_words(seed // _WORD) if seed >= _WORD else [])]


def batch_bounds(rows, batch_size):
    """Return (start, stop) of each batch; a last batch of a single row joins the one before it.

    One row has no variance, so a batch norm cannot train on it. The rule holds for every model, so that runs
    with and without batch norm see the same batches.
    """
    starts = list(range(0, rows, batch_size))
    if len(starts) > 1 and rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], rows], strict=True))
