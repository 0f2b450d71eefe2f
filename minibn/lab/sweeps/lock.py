"""One sweep at a time on one file."""

import os
from contextlib import contextmanager
from pathlib import Path

from minibn.errors import ArgumentError

try:
    import fcntl
except ImportError:  # a system without these locks
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(path):
    """Keep other sweeps off a file as long as the context lasts.

    The lock is one of the operating system on a file beside it, so it ends with the process that has it, killed or
    not, and a file that was left behind locks nothing. Where the system or the file system has no such locks, there
    is none.

    Parameters
    ----------
    path : path
        File of a sweep, made or not.

    Raises
    ------
    ArgumentError
        When a sweep that is running has the file.
    """
    path = Path(path)
    place = path.with_name(f".{path.name}.lock")
    file = _locked(path, place)
    try:
        yield
    finally:
        if file is not None:
            place.unlink(missing_ok=True)
            file.close()


def _locked(path, place):
    """Return the locked file, None where nothing can be locked."""
    while fcntl is not None:
        try:
            file = place.open("ab")
        except OSError:  # nor can a sweep be written there, which will say so
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ArgumentError(
                f"{path} belongs to a sweep that is running; let it end, or give another place"
            ) from None
        except OSError:
            file.close()
            return None
        if _is_at(file, place):
            return file
        file.close()  # whoever had it has ended, and removed it in between
    return None


def _is_at(file, place):
    try:
        return os.path.samestat(os.fstat(file.fileno()), place.stat())
    except FileNotFoundError:
        return False
