"""Permutations as NumPy's default generator draws them from a list of seeds, many in one compiled call."""

import numpy as np

from minibn.kernels.compile import kernel, kernel_part
from minibn.kernels.cpu.shuffle import fewest_bits, swap_drawn

# NumPy's scalars throughout: with a signed integer, Numba would make a float of an unsigned one.
_WORD, _HALF, _ONE = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(1)
_SHIFT = np.uint64(16)
_INIT_A, _MULT_A = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
_INIT_B, _MULT_B = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
_MIX_LEFT, _MIX_RIGHT = np.uint64(0xCA01F9DD), np.uint64(0x4973F715)
_HIGH, _LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)  # the multiplier of PCG64
_ROTATION, _LAST_BITS = np.uint64(58), np.uint64(63)
_POOL = 4  # words
ROOM = 2 * _POOL
"""Entries of memory to work in."""


@kernel_part
def _hashed(value, before, after):
    """Return a word hashed with two consecutive constants."""
    mixed = ((value ^ before) * after) & _WORD
    return mixed ^ (mixed >> _SHIFT)


@kernel_part
def _mixed(x, y):
    found = (_MIX_LEFT * x - _MIX_RIGHT * y) & _WORD
    return found ^ (found >> _SHIFT)


@kernel_part
def _fill_pool(words, pool):
    """Mix all words into the pool: first one for each place, then all places, then the words that are left."""
    constant = _INIT_A
    for number in range(_POOL * max(_POOL + 1, words.size + 1)):
        source, place = number // _POOL - 1, number % _POOL
        value = pool[place] * np.uint64(0)
        if source < 0:
            value = words[place] if place < words.size else value
        else:
            value = pool[source] if source < _POOL else words[source]
        if source != place:
            after = (constant * _MULT_A) & _WORD
            value = _hashed(value, constant, after)
            pool[place] = value if source < 0 else _mixed(pool[place], value)
            constant = after


@kernel_part
def _high(a, b):
    """Return the upper 64 bits of a product."""
    a0, a1, b0, b1 = a & _WORD, a >> _HALF, b & _WORD, b >> _HALF
    left, right = a1 * b0, a0 * b1
    middle = ((a0 * b0) >> _HALF) + (left & _WORD) + (right & _WORD)
    return a1 * b1 + (left >> _HALF) + (right >> _HALF) + (middle >> _HALF)


@kernel_part
def _step(state):
    """Go on to the next state: upper and lower half, followed by those of the increment."""
    low = state[1] * _LOW + state[3]
    carry = _ONE if low < state[3] else _ONE - _ONE
    state[0] = _high(state[1], _LOW) + state[0] * _LOW + state[1] * _HIGH + state[2] + carry
    state[1] = low


@kernel_part
def _seed(pool, state):
    """Derive the first state from the pool."""
    constant = _INIT_B
    for k in range(_POOL):
        middle, after = (constant * _MULT_B) & _WORD, (constant * _MULT_B * _MULT_B) & _WORD
        low = _hashed(pool[2 * k % _POOL], constant, middle)
        state[k] = low | (_hashed(pool[(2 * k + 1) % _POOL], middle, after) << _HALF)
        constant = after
    high, low = state[0], state[1]
    state[2], state[3] = (state[2] << _ONE) | (state[3] >> _LAST_BITS), (state[3] << _ONE) | _ONE
    state[1] = state[3] + low  # the first step starts at 0, and so gives the increment
    state[0] = state[2] + high + (_ONE if state[1] < low else _ONE - _ONE)
    _step(state)


@kernel_part
def _drawn(state):
    """Return 64 bits of a state."""
    word, turn = state[0] ^ state[1], state[0] >> _ROTATION
    return (word >> turn) | (word << ((_ONE - _ONE - turn) & _LAST_BITS))


@kernel
def permute_repeatedly(words, room, orders):
    """Write the permutations of seeds that differ in their last word, which counts up from what it is.

    Parameters
    ----------
    words : ndarray of uint64, shape (K,)
        Seeds in words of 32 bits, each its lowest word first; the last one is changed in place.
    room : ndarray of uint64, shape (ROOM,)
        Memory to work in.
    orders : ndarray of int64, shape (E, N), N below 2 ** 32
        Output: order e is that of ``numpy.random.default_rng(seeds).permutation(N)``.

    Notes
    -----
    Seeds are hashed as in M. E. O'Neill, "Developing a seed_seq alternative", 2015. The generator is PCG64 (XSL RR
    128/64) of M. E. O'Neill, "PCG: a family of simple fast space-efficient statistically good algorithms for random
    number generation", 2014; each draw gives 32 bits twice, the lower ones first. Durstenfeld 1964, algorithm 235, from
    the last row down; a place is drawn as the fewest bits that suffice, again until it is in range.
    """
    pool, state = room[:_POOL], room[_POOL:]
    for e in range(orders.shape[0]):
        _fill_pool(words, pool)
        _seed(pool, state)
        words[words.size - 1] += _ONE
        order = orders[e]
        for i in range(order.size):
            order[i] = i
        i, mask, fresh, word = order.size - 1, _ONE, True, _ONE
        while mask < np.uint64(i):
            mask = (mask << _ONE) | _ONE
        while i > 0:
            if fresh:
                _step(state)
                word = _drawn(state)
            drawn = np.int64(word & mask)
            fresh, word = not fresh, word >> _HALF
            i = swap_drawn(order, i, drawn)
            mask = fewest_bits(mask, i)
