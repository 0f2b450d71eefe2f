"""Handing trials to an executor in chunks, and taking results as they come."""

from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait

from minibn.errors import WorkerError
from minibn.lab.sweeps.trial import play

CHUNK_SECONDS = 0.25  # enough to make the cost of a call vanish, little enough to lose
_LARGEST = 256


def played(trials, executor, workers=1, digest=None):
    """Play trials and yield those of each chunk with their results, in the order in which chunks are done.

    Chunks grow from a single pair until each takes a quarter of a second.

    Parameters
    ----------
    trials : sequence of Trial
    executor : concurrent.futures.Executor
    workers : int
        Calls that the executor runs at once.
    digest : str, optional
        SHA-256 that the data must have.

    Yields
    ------
    list of (Trial, dict)
        Trials of a chunk with their results.

    Raises
    ------
    WorkerError
        When a process of the executor died. What was done before is yielded first.
    """
    waiting, running, size = deque(trials), {}, 2
    try:
        while waiting or running:
            _fill(waiting, running, executor, 2 * workers, size, digest)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            failed = None
            for future in done:
                chunk = running.pop(future)
                failed = failed or future.exception()
                if not future.exception():
                    results, seconds = future.result()
                    size = _next_size(len(chunk), seconds)
                    yield list(zip(chunk, results, strict=True))
            if failed:
                raise failed
    except Exception as error:
        # dask has an error of its own, which is not imported for its name
        if isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ == "KilledWorker":
            raise _lost(error) from error
        raise
    finally:
        for future in running:
            future.cancel()


def _fill(waiting, running, executor, most, size, digest):
    """Submit chunks until enough are under way, or one is already done, as in an executor without processes."""
    while waiting and len(running) < most:
        chunk = [waiting.popleft() for _ in range(min(size, len(waiting)))]
        future = executor.submit(play, [trial.settings for trial in chunk], digest)
        running[future] = chunk
        if future.done():
            return


def _next_size(size, seconds):
    """Return the size of chunks that take a quarter of a second: an even one, so that pairs stay together."""
    wanted = int(CHUNK_SECONDS * size / seconds) if seconds > 0 else _LARGEST
    return max(2, min(wanted, 2 * size, _LARGEST) // 2 * 2)


def _lost(error):
    reason = str(error).split("\n")[0] or type(error).__name__
    return WorkerError(f"a worker process died ({reason}); try fewer at once where memory is short")
