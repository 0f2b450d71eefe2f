"""Traces that rows of one part leave in the other."""

import numpy as np


def seen_before(x_train, x):
    """Say which rows equal a training row in every feature: ndarray of bool, shape (N,)."""
    dtype = np.result_type(x_train, x)
    # Adding zero turns -0.0, whose bytes differ, into the 0.0 that it equals.
    known = {row.tobytes() for row in np.ascontiguousarray(x_train, dtype) + 0}
    return np.array([row.tobytes() in known for row in np.ascontiguousarray(x, dtype) + 0])


def standardised(x_train, x, shift):
    """Return how far features are from mean ``shift`` and deviation 1: over the training rows, and over all rows.

    Returns
    -------
    tuple of float
        Root mean square over features that vary, of the larger of both deviations.
    """
    both = np.concatenate([x_train, x]).astype(np.float64)
    varied = np.ptp(both, axis=0) > 0
    return _off(both[: len(x_train), varied], shift), _off(both[:, varied], shift)


def _off(x, shift):
    if not x.size:
        return 0.0
    off = np.maximum(np.abs(x.mean(axis=0) - shift), np.abs(x.std(axis=0) - 1))
    return float(np.sqrt(np.mean(np.square(off))))
