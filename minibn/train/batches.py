"""The order of rows and the cut into batches."""

from minibn.data.stream import ORDER, generator


def epoch_order(rows, seed, epoch):
    """Return the shuffled row indices of one epoch, shape (rows,); a function of seed and epoch alone."""
    return generator(seed, ORDER, epoch).permutation(rows)


def batch_bounds(rows, batch_size):
    """Return (start, stop) of each batch; a last batch of a single row joins the one before it.

    One row has no variance, so a batch norm cannot train on it. The rule holds for every model, so that runs
    with and without batch norm see the same batches.
    """
    starts = list(range(0, rows, batch_size))
    if len(starts) > 1 and rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], rows], strict=True))
