"""Walking over the rows of a matrix in blocks, so that a wide copy is only ever made of one block."""

ELEMENTS = 1 << 18  # 2 MiB of float64: stays in a core's cache


def row_blocks(x):
    """Yield slices that cover the rows of a matrix.

    Parameters
    ----------
    x : ndarray, shape (N, C)

    Yields
    ------
    slice
    """
    rows = max(1, ELEMENTS // max(1, x.shape[1]))
    for start in range(0, x.shape[0], rows):
        yield slice(start, min(start + rows, x.shape[0]))
