"""A second process that compiles a part of what a first run needs, on another core, while this one compiles the rest.

Numba compiles one function after another. A second process cannot hand machine code over, but keeps it in the disk
cache, from which this one loads it. This one gives it a kernel at a time, from the end of its own list, until the two
have met. A kernel is one byte in the pipe to the process, and the same byte in the pipe back when it is kept.

Nothing depends on it: what is not in the cache when it is needed is compiled here. It ends when its pipe does.
"""

import atexit
import os
import subprocess
import sys
from collections import deque
from threading import Condition, Event, Thread

from minibn.cores import usable_cores

_PLAY = 255  # the executor; every other byte is the code of a kernel
_PATIENCE = 30.0  # seconds to wait for a process that may have been stopped
# Looking for garbage took a fifth of the time of a process that lives for some seconds.
_SERVE = """
import gc, sys
gc.disable()
sys.path[:] = sys.argv[2:]
from minibn.program.second_compiler import serve
serve(sys.argv[1])
"""

# With any other variable of Numba's, someone may want to see what the compiler does, in this process.
_KNOWN = {
    *("CACHE_DIR", "OPT", "BOUNDSCHECK", "CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "LOOP_VECTORIZE", "SLP_VECTORIZE"),
    *("NUM_THREADS", "THREADING_LAYER", "THREADING_LAYER_PRIORITY", "DISABLE_CUDA", "ENABLE_CUDASIM"),
}  # fmt: skip

_started: list["SecondCompiler"] = []


def start(dtype="float32"):
    """Start the process where it helps: nothing is compiled yet, it can be kept, and there is a core for it.

    For programs that are about to train on the CPU. The first :class:`minibn.program.Program` that is played shares
    its kernels with the process.

    Parameters
    ----------
    dtype : str
        That of the network.
    """
    unknown = {name for name in os.environ if name.startswith("NUMBA_") and name[6:] not in _KNOWN}
    if usable_cores() < 2 or unknown or not sys.executable or getattr(sys, "frozen", False):
        return
    from minibn.kernels.cache import lacks_code
    from minibn.program.executor import play

    if lacks_code(play):
        command = [sys.executable, "-c", _SERVE, dtype, *map(str, sys.path)]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, bufsize=0, stdin=pipe, stdout=pipe, stderr=nowhere)
        except OSError:
            return
        _started.append(SecondCompiler(process, dtype))


def share(codes, dtype):
    """Yield the codes of the kernels that this process is to compile; the others are ready when it ends.

    Parameters
    ----------
    codes : iterable of Code
        No two of them of the same kernel.
    dtype : dtype

    Yields
    ------
    Code
        None at all where no second process was started.
    """
    try:
        second = _started.pop()
    except IndexError:
        return
    if dtype == second.dtype:
        yield from second.share(codes)
    else:
        second.end()


class SecondCompiler:
    """The process as seen from the first one.

    Parameters
    ----------
    process : subprocess.Popen
        One that plays :func:`serve`, with pipes that are not buffered.
    dtype : str
    """

    def __init__(self, process, dtype):
        self.dtype = dtype
        self._process, self._jobs, self._closed = process, deque([_PLAY]), False
        self._changed, self._idle = Condition(), Event()
        atexit.register(self.end)
        Thread(target=self._serve, daemon=True).start()

    def share(self, codes):
        """Yield the codes that are left for this process; see :func:`share`."""
        with self._changed:
            self._jobs.extendleft(reversed(list(codes)))
            self._changed.notify()
        try:
            while (job := self._first()) is not None:
                if job != _PLAY:  # compiled when it is called
                    yield job
        finally:
            with self._changed:
                self._jobs.clear()
                self._closed = True
                self._changed.notify()
        if not self._idle.wait(_PATIENCE):
            self._process.kill()

    def _serve(self):
        """Give the process one kernel after another, and end it."""
        try:
            while (job := self._last()) is not None:
                self._process.stdin.write(bytes([job]))
                if self._process.stdout.read(1) != bytes([job]):
                    break
        except OSError:  # it has ended
            pass
        self._idle.set()
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        atexit.unregister(self.end)

    def _first(self):
        """Return the first job, None when all are taken."""
        with self._changed:
            return self._jobs.popleft() if self._jobs else None

    def _last(self):
        """Return the last job, None when all are taken; waits until it is known what they are."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed, _PATIENCE)
            return self._jobs.pop() if self._jobs else None

    def end(self):
        """End the process at once."""
        self._process.kill()
        self._process.wait()


def serve(dtype):
    """Compile the kernels whose codes come by stdin, and send each code back when its kernel is in the disk cache.

    Parameters
    ----------
    dtype : str
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C at a terminal reaches both processes
    answers = os.dup(1)
    os.dup2(2, 1)  # what the compiler may print is no answer
    from minibn.kernels.cpu.calls import address
    from minibn.program.executor import play
    from minibn.program.operations import table_of_kernels
    from minibn.program.warm_up import play_examples

    while job := os.read(0, 1):
        if job[0] == _PLAY:
            address(play, *play_examples(dtype))
        else:
            table_of_kernels([job[0]], dtype)
        os.write(answers, job)
