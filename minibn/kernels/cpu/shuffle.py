"""Shuffling as NumPy's RandomState shuffles, many orders in one compiled call."""

import numpy as np

from minibn.kernels.compile import kernel, kernel_part

_WORDS, _AHEAD = 624, 397
_HIGH, _LOW, _TWIST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF), np.uint32(0x9908B0DF)
_MASK1, _MASK2 = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)


@kernel_part
def _next(key, i, following, ahead):
    """Write one word of the next state."""
    mixed = (key[i] & _HIGH) | (key[following] & _LOW)
    key[i] = key[ahead] ^ (mixed >> np.uint32(1)) ^ (_TWIST * (mixed & np.uint32(1)))


@kernel_part
def _refill(key):
    """Write the next 624 words of the state."""
    for i in range(_WORDS - _AHEAD):
        _next(key, i, i + 1, i + _AHEAD)
    for i in range(_WORDS - _AHEAD, _WORDS - 1):
        _next(key, i, i + 1, i + _AHEAD - _WORDS)
    _next(key, _WORDS - 1, 0, _AHEAD - 1)


@kernel_part
def _tempered(y):
    y = y ^ (y >> np.uint32(11))
    y = y ^ ((y << np.uint32(7)) & _MASK1)
    y = y ^ ((y << np.uint32(15)) & _MASK2)
    return y ^ (y >> np.uint32(18))


@kernel_part
def swap_drawn(rows, i, drawn):
    """Swap row i with a drawn one, and return the next row down; the same row where that is out of range."""
    chosen = drawn if drawn <= i else i  # nothing moves, and nothing branches
    row, other = rows[i], rows[chosen]
    rows[i], rows[chosen] = other, row
    return i - (drawn <= i)


@kernel_part
def fewest_bits(mask, i):
    """Return the mask for draws of at most i, where the one before was for at most twice as much."""
    return mask if i > np.int64(mask >> np.uint32(1)) else mask >> np.uint32(1)


@kernel
def shuffle_repeatedly(key, place, rows, orders):
    """Shuffle some rows again and again, and write every order down.

    Parameters
    ----------
    key : ndarray of uint32, shape (624,)
        State of a Mersenne twister; changed in place.
    place : int
        Words of it that were drawn already.
    rows : ndarray of int64, shape (N,), N below 2 ** 32
        Changed in place.
    orders : ndarray of int64, shape (E, N)
        Output.

    Returns
    -------
    int
        Words that are drawn afterwards.

    Notes
    -----
    Matsumoto and Nishimura 1998, Mersenne twister. Durstenfeld 1964, algorithm 235, from the last row down; a place is
    drawn as the fewest bits that suffice, again until it is in range. ``numpy.random.RandomState.shuffle`` does the
    same, at three times the cost: here nothing branches on what is drawn.
    """
    for e in range(orders.shape[0]):
        i, mask = rows.size - 1, np.uint32(1)
        while mask < i:
            mask = (mask << np.uint32(1)) | np.uint32(1)
        while i > 0:
            if place == _WORDS:
                _refill(key)
                place = 0
            drawn = np.int64(_tempered(key[place]) & mask)
            place += 1
            i = swap_drawn(rows, i, drawn)
            mask = fewest_bits(mask, i)
        order = orders[e]
        for k in range(rows.size):
            order[k] = rows[k]
    return place
