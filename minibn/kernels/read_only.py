"""Folders of machine code that can be read and not written, as those of a container image under another user."""

import inspect
import os
from pathlib import Path

from numba.core import caching, config


def filled(function):
    """Return the folders that hold machine code of compiled functions and cannot be written, in Numba's order.

    Parameters
    ----------
    function : callable
        One defined in a file.

    Returns
    -------
    list of str
    """
    file = inspect.getfile(function)
    kinds = [caching.UserProvidedCacheLocator] if config.CACHE_DIR else []
    kinds += [caching.InTreeCacheLocator, caching.UserWideCacheLocator]
    paths = [kind(function, file).get_cache_path() for kind in kinds]
    return [path for path in paths if not os.access(path, os.W_OK) and _holds_code(path)]


def _holds_code(path):
    try:
        return any(Path(path).glob("*.nbi"))
    except OSError:
        return False


class _FilledLocator(caching.InTreeCacheLocator):
    """The first such folder, for where none can be written; keeping something there fails when it is tried."""

    def __init__(self, function, file):
        super().__init__(function, file)
        self._cache_path = next(iter(filled(function)), "")

    @classmethod
    def from_function(cls, function, file):
        locator = cls(function, file) if Path(file).exists() else None
        return locator if locator and locator.get_cache_path() else None


class ReadableCacheImpl(caching.CompileResultCacheImpl):
    """Numba's choice of a folder, with one more at its end."""

    _locator_classes = [*caching.CompileResultCacheImpl._locator_classes, _FilledLocator]


class Layers:
    """The entries of one function: one file of them that is written, and others that are read where it has none.

    Parameters
    ----------
    own : numba.core.caching.IndexDataCacheFile
    others : list of numba.core.caching.IndexDataCacheFile
    """

    def __init__(self, own, others):
        self.own, self.others = own, others

    def load(self, key):
        """Return the first entry found, or None."""
        found = (file.load(key) for file in (self.own, *self.others))
        return next((entry for entry in found if entry is not None), None)

    def holds_any(self):
        """Say whether there is an entry."""
        try:
            return any(file._load_index() for file in (self.own, *self.others))
        except Exception:  # damaged: the next load begins a new one
            return False

    def save(self, key, data):
        """Keep an entry."""
        self.own.save(key, data)

    def flush(self):
        """Forget all entries that can be."""
        self.own.flush()
