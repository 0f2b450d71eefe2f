"""A stricter simulator than numba-cuda's own, whose classes it changes; the version is pinned for this reason.

Shared memory belongs to a block and begins as NaN, as do local arrays; a negative index is an error; blocks run in a
random order, so that any of them may be the last; the threads of a block run one after the other from barrier to
barrier, in a random order too, so that a missing barrier shows.
"""

import functools
import random
import sys
import threading

import numpy as np
from numba.cuda.np import numpy_support
from numba.cuda.simulator import kernel, kernelapi

_GARBAGE = 0x5A5A


class _Turns:
    """One thread of a block at a time, from barrier to barrier, in another order each time.

    A thread that needs what another writes before a missing barrier finds it missing, in the same way in every run.
    """

    def __init__(self, threads, order):
        self.gates = [threading.Semaphore(0) for _ in range(threads)]
        self.live, self.waiting, self.order, self.broken = set(range(threads)), [], order, False

    def pass_on(self):
        """Let the next thread run; after the last one, all that are alive have reached the barrier."""
        if not self.waiting:
            self.waiting = sorted(self.live)
            self.order.shuffle(self.waiting)
        if self.waiting:
            self.gates[self.waiting.pop()].release()

    def sync(self, thread):
        self.pass_on()
        self.gates[thread].acquire()
        if self.broken:
            raise RuntimeError("another thread of the block failed")

    def leave(self, thread, failed):
        self.live.discard(thread)
        self.broken = self.broken or failed
        self.pass_on()


class _Block(kernel.BlockManager):
    """Runs the threads of one block."""

    def run_now(self, point, arguments):
        threads = [
            kernel.BlockThread(functools.partial(self._f, *arguments), self, point, at, self._debug)
            for at in np.ndindex(*self._block_dim)
        ]
        self.turns, self.shared = _Turns(len(threads), self.order), {}
        for thread in threads:
            thread.start()
        self.turns.pass_on()
        for thread in threads:
            thread.join()
        failures = [t.exception for t in threads if t.exception]
        if failures:
            error, trace = min(failures, key=lambda failure: "another thread" in str(failure[0]))
            raise error.with_traceback(trace)


def _shuffled(numbers):
    """Return a class of blocks that run once all of a grid are there, in a random order."""
    pending = []

    class Shuffled(_Block):
        order = numbers

        def run(self, point, *arguments):
            pending.append((self, point, arguments))
            if len(pending) == int(np.prod(self._grid_dim)):
                blocks = pending[:]
                pending.clear()
                numbers.shuffle(blocks)
                for block, at, given in blocks:
                    block.run_now(at, given)

    return Shuffled


def _poisoned(shape, dtype):
    dtype = np.dtype(numpy_support.as_dtype(dtype) if hasattr(dtype, "bitwidth") else dtype)
    array = np.empty(shape, dtype)
    array.fill(np.nan if dtype.kind == "f" else _GARBAGE)
    return array


class _Guarded(np.ndarray):
    """An array without negative indices."""

    def __getitem__(self, index):
        _refuse_negative(index)
        return super().__getitem__(index)

    def __setitem__(self, index, value):
        _refuse_negative(index)
        super().__setitem__(index, value)


def _refuse_negative(index):
    for number in index if isinstance(index, tuple) else (index,):
        if isinstance(number, (int, np.integer)) and number < 0:
            raise IndexError(f"negative index {number} in a kernel")


def _shared_array(self, shape, dtype, alignment=None):
    """Return the array that this line of code has in this block."""
    place, block = sys._getframe(1), threading.current_thread()._manager
    key = place.f_code, place.f_lineno
    if key not in block.shared:
        block.shared[key] = _poisoned(shape, dtype).view(_Guarded)
    return block.shared[key]


def _run_thread(self):
    turns = self._manager.turns
    turns.gates[self.thread_id].acquire()
    run_stock(self)
    turns.leave(self.thread_id, failed=self.exception is not None)


def _strict_item(self, index):
    _refuse_negative(index)
    return item_stock(self, index)


def _strict_set(self, index, value):
    _refuse_negative(index)
    set_stock(self, index, value)


run_stock = kernel.BlockThread.run
item_stock = kernel.FakeWithinKernelCUDAArray.__getitem__
set_stock = kernel.FakeWithinKernelCUDAArray.__setitem__


def install(seed=0):
    """Change numba-cuda's simulator for the rest of this process."""
    kernel.BlockManager = _shuffled(random.Random(seed))
    kernel.BlockThread.run = _run_thread
    kernel.BlockThread.syncthreads = lambda self: self._manager.turns.sync(self.thread_id)
    kernel.FakeWithinKernelCUDAArray.__getitem__ = _strict_item
    kernel.FakeWithinKernelCUDAArray.__setitem__ = _strict_set
    kernelapi.FakeCUDAShared.array = _shared_array
    kernelapi.FakeCUDALocal.array = lambda self, shape, dtype, alignment=None: _poisoned(shape, dtype)
