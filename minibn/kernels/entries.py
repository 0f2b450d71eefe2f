"""The files of a folder of compiled kernels, and which of them are stale."""

import contextlib
import pickle
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numba

from minibn.kernels.cache import DIGEST

_NAME = re.compile(r".+\.(nbi|nbc)(\.tmp\.\w+)?")
_ABANDONED = 600.0  # seconds after which nobody still writes a temporary file


@dataclass(frozen=True)
class CacheFolder:
    """The machine code of one folder of minibn's sources.

    Attributes
    ----------
    path : Path
    entries, stale_entries : int
        Compiled versions of kernels, one for each combination of argument types. Stale ones were compiled from
        other sources, by another Numba or with other options, and are never loaded as things are.
    bytes, stale_bytes : int
        With their indexes.
    """

    path: Path
    entries: int
    bytes: int
    stale_entries: int
    stale_bytes: int


def describe(folder):
    """Return the CacheFolder of a path."""
    stale = dict(cache_files(folder, stale=True))
    fresh = {path: size for path, size in cache_files(folder) if path not in stale}
    counts = [sum(path.suffix == ".nbc" for path in files) for files in (fresh, stale)]
    return CacheFolder(folder, counts[0], sum(fresh.values()), counts[1], sum(stale.values()))


def cache_files(folder, stale=False):
    """Return (path, bytes) of all files of a cache, or of those that are stale.

    Numba gives each folder of sources a cache folder of its own, so that the files with these endings are minibn's.
    """
    found = []
    names = _loadable(folder) if stale else ()
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name) and path.name not in names:
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                status = path.stat()
                written = ".tmp." in path.name and time.time() - status.st_mtime < _ABANDONED
                found += [] if written else [(path, status.st_size)]
    return found


def _loadable(folder):
    """Return the names of the indexes, and of the entries in them, that a process would load."""
    found = set()
    for index in folder.glob("*.nbi"):
        entries = _entries(index)
        found |= {index.name, *entries} if entries else set()
    return found


def _entries(index):
    """Return the file names in an index of these sources, options and Numba, nothing for another."""
    try:
        with index.open("rb") as file:
            if pickle.load(file) != numba.__version__:
                return []
            stamp, overloads = pickle.loads(file.read())
    except Exception:  # damaged, or removed meanwhile
        return []
    return list(overloads.values()) if stamp[0] == DIGEST else []
