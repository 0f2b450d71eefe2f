"""Where trials are played: in this process, in local ones, on a dask cluster, under MPI.

Each is an ordinary :class:`concurrent.futures.Executor` with the number of calls that it runs at once.
"""

import os
import re
import signal
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread

from minibn.errors import ArgumentError, require_extra

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_PATIENCE = 10  # seconds to wait for a scheduler


class InProcess(Executor):
    """Plays each call at once, where it is made."""

    def submit(self, function, /, *arguments, **keywords):
        """Call the function and return a future that is done."""
        future: Future = Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def local_processes(count):
    """Give ``(executor, count)`` for processes of this machine, started anew (spawn), with one BLAS thread each.

    Leaving with an error ends the processes at once. They end too when this process is killed. A script that
    calls this needs ``if __name__ == "__main__":``, as everywhere with spawned processes.

    Parameters
    ----------
    count : int
    """
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin)
    with _one_thread():
        try:
            yield pool, count
        except BaseException:
            processes = list(
                (pool._processes or {}).values()
            )  # the pool has no public way before Python 3.14
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            raise
        pool.shutdown()


def _begin():
    """Leave Ctrl-C to the parent, and do not outlive it."""
    from multiprocessing import connection, parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def watch():
        connection.wait([parent.sentinel])
        os._exit(1)

    if parent is not None:
        Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread():
    """Set one BLAS thread for processes that start meanwhile: results then do not depend on where they are made."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def dask_cluster(address):
    """Give ``(executor, threads of all workers)`` for a dask cluster.

    Parameters
    ----------
    address : str
        Of the scheduler, e.g. ``"tcp://host:8786"``. Its workers need minibn, and files of data at the same path.

    Raises
    ------
    MissingExtraError
        When dask.distributed is not installed.
    ArgumentError
        When no scheduler answers, or it has no workers.
    """
    distributed = require_extra("distributed", "dask")
    if not re.fullmatch(r"(\w+://)?[^\s/]+:\d+", address):
        raise ArgumentError(
            f"dask: expected an address such as tcp://host:8786, got {address!r}; give that of the scheduler"
        )
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ArgumentError(
            f"dask: no scheduler answers at {address!r}; start one with 'dask scheduler' and give its address"
        ) from error
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ArgumentError(
                f"dask: the scheduler at {address} has no workers; start some with 'dask worker {address}'"
            )
        yield client.get_executor(pure=False), threads
    finally:
        client.close()


@contextmanager
def mpi_pool():
    """Give ``(executor, workers)`` for the processes of a program that was started under mpi4py.futures.

    Raises
    ------
    MissingExtraError
        When mpi4py is not installed.
    ArgumentError
        When the program was started in another way.
    """
    mpi = require_extra("mpi4py.MPI", "mpi")
    workers = mpi.COMM_WORLD.Get_size() - 1
    if "mpi4py.futures" not in sys.orig_argv or workers < 1:
        raise ArgumentError(
            "mpi: this program does not run under mpi4py.futures with at least 2 processes; "
            "start it with 'mpiexec -n 4 python -m mpi4py.futures -m minibn_cli sweep ... --mpi'"
        )
    with require_extra("mpi4py.futures", "mpi").MPIPoolExecutor() as pool:
        yield pool, workers
