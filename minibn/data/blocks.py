"""Walking over the rows of a matrix in blocks, so that a wide copy is only ever made of one block."""

import numpy as np

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


def first_non_finite(x, dtype=None):
    """Return row and column of the first entry that is not finite, None where there is none.

    Parameters
    ----------
    x : ndarray of float, shape (N, C)
    dtype : dtype, optional
        The one that entries are converted to first: what overflows there is not finite.
    """
    for rows in row_blocks(x):
        with np.errstate(over="ignore"):
            finite = np.isfinite(x[rows] if dtype is None else x[rows].astype(dtype, copy=False))
        if not finite.all():
            row, column = (int(i) for i in np.argwhere(~finite)[0])
            return row + rows.start, column
    return None
