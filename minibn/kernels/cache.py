"""Where compiled functions are kept on disk, and what makes them invalid.

Numba's own disk cache has three traps, none of which reaches a user of minibn: it does not notice a change in
a function called from another file, its key leaves out the compiler's options, and it raises at import where
no folder is writable. Here a cached function is valid only for the digest of *all* kernel sources and of the
options in force, and without a writable folder functions are compiled in memory.
"""

import contextlib
import hashlib
import inspect
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from numba.core import caching, config
from numba.core.runtime import rtsys

from minibn.kernels.callees import dependencies, plain
from minibn.kernels.read_only import Layers, ReadableCacheImpl, filled

_COMPILED = ("kernels", "program")  # the executor's code depends on tables in files beside it
_OPTIONS = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX")


def _options():
    """Return the compiler options that environment variables set."""
    return [getattr(config, name, None) for name in _OPTIONS]


def _sources(package):
    """Return the files of all functions that are kept; those of CUDA compile in memory, for the device at hand."""
    found = (path for folder in _COMPILED for path in (package / folder).rglob("*.py"))
    return sorted(path for path in found if "cuda" not in path.relative_to(package).parts)


def _digest():
    """Return a digest of all sources that compiled functions are made of, and of the compiler options in force."""
    digest = hashlib.sha256(repr(_options()).encode())
    package = Path(__file__).parents[1]
    for path in _sources(package):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


DIGEST = _digest()
_listeners: list[Callable[[str], None]] = []
_uncached: list[str] = []
_folders: dict[Path, None] = {}  # in the order in which kernels were defined


def on_compile(listener):
    """Call ``listener`` with a function's name each time one is about to be compiled, not loaded from disk.

    Parameters
    ----------
    listener : callable
        Called as ``listener(name)``, from the thread that compiles, for kernels and for functions of yours that
        are decorated by :func:`minibn.kernels.njit`.
    """
    _listeners.append(listener)


def kernel_folders():
    """Return the folders that hold the machine code of the kernels imported so far, as a list of Path."""
    return list(_folders)


def uncached_reason():
    """Return why something could not be kept on disk in this process, None where everything could."""
    return _uncached[0] if _uncached else None


def lacks_code(kernel):
    """Say whether a kernel could be kept on disk and is not yet, in any of its versions: as before a first run."""
    cache = getattr(kernel, "_cache", None)
    return isinstance(cache, _StampedCache) and cache.is_empty()


def _announce(name):
    for listener in _listeners:
        listener(name)


def _warn_once(reason):
    if not _uncached:
        _uncached.append(reason)
        warnings.warn(
            f"compiled functions run uncached ({reason}): each start compiles them again; "
            "set NUMBA_CACHE_DIR to a writable folder",
            RuntimeWarning,
            stacklevel=2,
        )


def _refuse_a_relative_folder(path):
    """Refuse what Numba makes of a user without a home: a folder named ``~`` wherever the process happens to be."""
    if path.startswith("~"):
        with contextlib.suppress(OSError):
            os.removedirs(path)
        raise RuntimeError("there is no home folder")


class _StampedCache(caching.FunctionCache):
    """Numba's disk cache with a stamp and file names of our own, and quiet when the disk fails."""

    _impl_class = ReadableCacheImpl

    def __init__(self, function, suffix, *depends):
        super().__init__(function)
        _refuse_a_relative_folder(self._cache_path)
        named = {
            "filename_base": self._impl.filename_base + suffix,
            "source_stamp": (DIGEST, self._source(function), *depends),
        }
        others = [path for path in filled(function) if path != self._cache_path]
        self._cache_file = Layers(
            caching.IndexDataCacheFile(cache_path=self._cache_path, **named),
            [caching.IndexDataCacheFile(cache_path=path, **named) for path in others],
        )

    def _source(self, function):
        """Return a digest of the file that a function stands in; cells of a notebook are files only to Numba."""
        path = Path(inspect.getfile(function))
        if path.is_file():
            return hashlib.sha256(path.read_bytes()).hexdigest()
        return self._impl.locator.get_source_stamp()

    def is_empty(self):
        """Say whether nothing is kept in a folder that could be written."""
        return os.access(self._cache_path, os.W_OK) and not self._cache_file.holds_any()

    def load_overload(self, sig, target_context):
        try:
            compiled = self._load(sig, target_context)
        except Exception:  # a damaged cache entry is no reason to fail: begin a new one
            compiled = None
            with contextlib.suppress(OSError):
                self.flush()
        if compiled is None:
            _announce(self._py_func.__name__)
        return compiled

    def _load(self, sig, target_context):
        return super().load_overload(sig, target_context)

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_once(error.strerror or "the cache folder cannot be written")


class _KernelCache(_StampedCache):
    """The cache of one of minibn's own kernels."""

    def __init__(self, function):
        # The options are part of the file name too, so that runs with other options keep their own entries.
        super().__init__(function, f"-{DIGEST[:8]}" if config.BOUNDSCHECK else "")
        _folders[Path(self._cache_path)] = None

    def _load(self, sig, target_context):
        # What machine code calls. Numba would also import everything that compiling needs, which takes longer
        # than loading all kernels, and does so by itself when something is compiled.
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


class _CallerCache(_StampedCache):
    """The cache of a function of a user, who may have compiled the same function with other options too."""

    def __init__(self, function, options):
        chosen = plain([options, _options()])
        suffix = hashlib.sha256(chosen.encode()).hexdigest()[:8]
        super().__init__(function, f"-{suffix}", chosen, dependencies(function))


class _Uncached(caching.NullCache):
    """No disk cache; still announces what it compiles."""

    def __init__(self, name):
        self._name = name

    def load_overload(self, sig, target_context):
        _announce(self._name)


def _cache(kind, function, *arguments):
    try:
        return kind(function, *arguments)
    except RuntimeError:  # Numba found no source file, as for what is typed at a prompt, or no folder
        if Path(inspect.getfile(function)).exists():
            _warn_once("no writable cache folder")
        return _Uncached(function.__name__)


def kernel_cache(function):
    """Return the cache of a kernel."""
    return _cache(_KernelCache, function)


def caller_cache(function, options):
    """Return the cache of a user's function, compiled with some options of Numba's decorator."""
    return _cache(_CallerCache, function, options)
