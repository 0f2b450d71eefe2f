"""Every kernel of the program with the types of its arguments."""

from builds import Build
from numba import float32, int32, int64

from minibn.program.cuda import line_kernels, persistent

THREADS, BLOCK = 256, 512
A, COUNTS, K, i = float32[::1], int32[::1], int64[::1], int32


def _lines():
    """Yield (maker, types of arguments) of the kernels of one line."""
    k = line_kernels
    yield k.make_gather, (A, i, A, i, COUNTS, i, COUNTS, A, i, i, A, i, COUNTS, COUNTS, A, i)
    yield k.make_weigh, (A, i, A, i)
    yield k.make_weighted_statistics, (A, i, i, i, i, A, i, i)
    yield k.make_weighted_norm_backward, (A, *(i,) * 10, A, i, i)
    yield k.make_track, (A, i, i, i, i, i, K, i, COUNTS, A, i)
    yield k.make_cross_entropy, (A, i, i, COUNTS, i, i, A, i, COUNTS, A, i, i, i)
    yield k.make_squared_error, (A, i, i, i, A, i, COUNTS, A, i, i, i)
    yield k.make_cross_entropy_backward, (A, i, i, COUNTS, i, i, A, i, i)
    yield k.make_squared_error_backward, (A, i, i, i, i, A, i, i)
    yield k.make_sgd, (A, i, i, i, i, A, i, COUNTS, i)
    yield k.make_adam, (A, i, i, i, i, i, A, i, K, COUNTS, i)
    yield k.make_write, (A, i, A, i, COUNTS, i)


def builds():
    """Return every kernel of the program."""
    found = [Build(make.__name__.removeprefix("make_"), make, (THREADS,), types) for make, types in _lines()]
    found.append(Build("advance", line_kernels.make_advance, (), (COUNTS, K, i, i), 1))
    play = (
        A, K, COUNTS, i, i, i, A, i, COUNTS, i, COUNTS, A, A, COUNTS, i, i, i, i, i, A, i, A, i, i, A, i, i, COUNTS
    )  # fmt: skip
    found.append(Build("play_on_one_block", persistent.make_play, (BLOCK,), play, BLOCK))
    return found
