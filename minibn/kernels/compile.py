"""How every kernel is compiled and cached: the one file with compiler flags.

Numba's own disk cache has three traps, none of which reaches a user of minibn: it does not notice a change in
a function called from another file, its key leaves out the compiler's options, and it raises at import where
no folder is writable. Here a cached kernel is valid only for the digest of *all* kernel sources and of the
options in force, and without a writable folder the kernels are compiled in memory.
"""

import contextlib
import hashlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path

import numba
from numba.core import caching, config
from numba.core.compiler import CompilerBase
from numba.core.runtime import rtsys

FLAGS = {
    # Division by zero gives inf or NaN, as in NumPy, and loops with a division still vectorise.
    "error_model": "numpy",
    # Kernels touch no Python object, so two threads may run them at once.
    "nogil": True,
    # One rounding instead of two in a * b + c. No other fast-math flag: reassociation would make sums depend
    # on the machine's vector width, and "nnan" or "ninf" would let the compiler remove what must stay visible.
    "fastmath": {"contract"},
}

_COMPILED = ("kernels", "program")  # the executor's code depends on tables in files beside it
_OPTIONS = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX")


def _digest():
    """Return a digest of all sources that compiled functions are made of, and of the compiler options in force."""
    digest = hashlib.sha256(repr([getattr(config, name, None) for name in _OPTIONS]).encode())
    package = Path(__file__).parents[1]
    for path in sorted(path for folder in _COMPILED for path in (package / folder).rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


DIGEST = _digest()
_listeners: list[Callable[[str], None]] = []
_warned: set[str] = set()


def on_compile(listener):
    """Call ``listener`` with a kernel's name each time one is about to be compiled, not loaded from disk.

    Parameters
    ----------
    listener : callable
        Called as ``listener(name)``, from the thread that compiles.
    """
    _listeners.append(listener)


def _announce(name):
    for listener in _listeners:
        listener(name)


def _warn_once(reason):
    if "uncached" not in _warned:
        _warned.add("uncached")
        warnings.warn(
            f"minibn's kernels run uncached ({reason}): each start compiles them again; "
            "set NUMBA_CACHE_DIR to a writable folder",
            RuntimeWarning,
            stacklevel=2,
        )


class _KernelCache(caching.FunctionCache):
    """Numba's disk cache, stamped with the digest and quiet when the disk fails."""

    def __init__(self, function):
        super().__init__(function)
        # The options are part of the file name too, so that runs with other options keep their own entries.
        self._cache_file = caching.IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=f"{self._impl.filename_base}-{DIGEST[:8]}"
            if config.BOUNDSCHECK
            else self._impl.filename_base,
            source_stamp=(DIGEST, hashlib.sha256(Path(inspect.getfile(function)).read_bytes()).hexdigest()),
        )

    def load_overload(self, sig, target_context):
        try:
            # What machine code calls. Numba would also import everything that compiling needs, which takes longer
            # than loading all kernels, and does so by itself when something is compiled.
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                compiled = self._load_overload(sig, target_context)
        except Exception:  # a damaged cache entry is no reason to fail: begin a new one
            compiled = None
            with contextlib.suppress(OSError):
                self.flush()
        if compiled is None:
            _announce(self._py_func.__name__)
        return compiled

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_once(error.strerror or "the cache folder cannot be written")


class _Uncached(caching.NullCache):
    """No disk cache; still announces what it compiles."""

    def __init__(self, name):
        self._name = name

    def load_overload(self, sig, target_context):
        _announce(self._name)


def _cache_for(function):
    try:
        return _KernelCache(function)
    except RuntimeError:  # Numba found no folder that it may write to
        _warn_once("no writable cache folder")
        return _Uncached(function.__name__)


class _Compiler(CompilerBase):
    """Numba's compiler, with parts inlined as :mod:`minibn.kernels.inlining` says."""

    def define_pipelines(self):
        """Return the passes; what they need is imported only where something is compiled, which is rare."""
        from minibn.kernels.inlining import kernel_passes

        return [kernel_passes(self.state)]


def kernel(function):
    """Compile a kernel on first call, with minibn's flags and minibn's cache.

    Parameters
    ----------
    function : callable
        A plain Python function on arrays and scalars.

    Returns
    -------
    numba.core.registry.CPUDispatcher
        Callable from Python and from any ``@njit``; the function itself when ``NUMBA_DISABLE_JIT=1``.
    """
    dispatcher = numba.njit(pipeline_class=_Compiler, **FLAGS)(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = _cache_for(function)
    return dispatcher


def kernel_part(function):
    """Make a function whose code becomes a part of every kernel that calls it, before types are inferred.

    A kernel called by a kernel is compiled twice, on its own and in its caller; a part only with its caller.

    Parameters
    ----------
    function : callable
        A plain Python function; parameters are not assigned to.

    Returns
    -------
    numba.core.registry.CPUDispatcher
        The function itself when ``NUMBA_DISABLE_JIT=1``.
    """
    return numba.njit(inline="always", **FLAGS)(function)


def subroutine(function):
    """Compile a function that only kernels call, without the code that a call from Python takes.

    For what several kernels share and what is too large for a part: the time that LLVM takes grows faster than
    the code of a function. It is not cached itself, since the kernels that are contain it.
    """
    return numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=_Compiler, **FLAGS)(
        function
    )


def threaded_kernel(function):
    """Compile a kernel whose ``prange`` loops run on several threads; otherwise as :func:`kernel`.

    Such kernels are functions of their own, never variants of a serial one: Numba's cache does not tell the two
    apart. Compiling one takes seconds, so each is compiled only when it is first called.
    """
    dispatcher = numba.njit(parallel=True, pipeline_class=_Compiler, **FLAGS)(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = _cache_for(function)
    return dispatcher
