"""Where the time of a training step goes: every line of the headline's program, timed on its own.

``python -m benchmarks.lines`` prints microseconds per line, the fastest of many bursts.
"""

from time import perf_counter

import numba
import numpy as np

from minibn.data import example
from minibn.nn import SoftmaxCrossEntropy, mlp
from minibn.program import capture
from minibn.program.instructions import Code
from minibn.program.operations import dispatch
from minibn.train import SGD

_ROWS, _BURSTS = 32, 40


@numba.njit(nogil=True)
def _repeat(count, entry, line, arena, stats, counts, labels, targets, rows):
    total = 0.0
    for _ in range(count):
        total += dispatch(entry, line, arena, stats, counts, labels, targets, rows)
    return total


def _fastest(play, count):
    """Return the microseconds of one play, in the fastest of some bursts."""
    seconds = []
    for _ in range(_BURSTS):
        start = perf_counter()
        play(count)
        seconds.append(perf_counter() - start)
    return min(seconds) / count * 1e6


def main():
    """Print the time of each line, their sum, and the time of a whole step inside an epoch."""
    data = example(seed=0)
    x, y = data.x[:1000].astype(np.float32), data.y[:1000]
    program = capture(mlp([20, 10, 3], rng=0), SoftmaxCrossEntropy(), SGD(0.01), _ROWS + 1)
    order = np.random.default_rng(0).permutation(1000)
    epoch = _fastest(lambda count: [program.run_epoch(x, y, order, _ROWS) for _ in range(count)], 20)
    once = _fastest(lambda count: [program.run_epoch(x, y, order[:_ROWS], _ROWS) for _ in range(count)], 100)
    arrays = program.arena, program.stats, program.counts, y[order[:_ROWS]], program.arena[:0]
    total = 0.0
    for line in program._table[slice(*program._training)]:
        entry = program._entries[line[0]]
        spent = _fastest(lambda count: _repeat(count, entry, line, *arrays, _ROWS), 2000)  # noqa: B023
        total += spent
        print(f"{Code(line[0]).name:<32} {spent:6.3f}")
    print(f"{'sum of the lines':<32} {total:6.3f}")
    print(f"{'a step more in an epoch':<32} {(epoch - once) / 31:6.3f}")
    print(f"{'an epoch of one step':<32} {once:6.3f}")


if __name__ == "__main__":
    main()
