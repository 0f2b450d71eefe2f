"""How every kernel is compiled: the one file with compiler flags; :mod:`minibn.kernels.cache` keeps the results."""

import numba
from numba.core import config, sigutils, typeinfer
from numba.core.compiler import CompilerBase, DefaultPassBuilder

from minibn.kernels.cache import caller_cache, kernel_cache

FLAGS = {
    # Division by zero gives inf or NaN, as in NumPy, and loops with a division still vectorise.
    "error_model": "numpy",
    # Kernels touch no Python object, so two threads may run them at once.
    "nogil": True,
    # Kernels own no memory, and count no references to it: a call from Python with six arrays takes 150 ns less.
    "_nrt": False,
    # One rounding instead of two in a * b + c. No other fast-math flag: reassociation would make sums depend
    # on the machine's vector width, and "nnan" or "ninf" would let the compiler remove what must stay visible.
    "fastmath": {"contract"},
}


class _Compiler(CompilerBase):
    """Numba's compiler, with parts inlined as :mod:`minibn.kernels.inlining` says."""

    def define_pipelines(self):
        """Return the passes; what they need is imported only where something is compiled, which is rare."""
        try:
            from minibn.kernels.inlining import kernel_passes
        except (ImportError, AttributeError):
            # Another version of Numba: its own passes give the same code, later.
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]
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
    return _kept(function)


def numpy_kernel(function):
    """Compile a kernel that calls functions of NumPy for which Numba counts references; otherwise as :func:`kernel`."""
    return _kept(function, _nrt=True)


def _kept(function, **options):
    dispatcher = numba.njit(pipeline_class=_Compiler, **FLAGS | options)(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = kernel_cache(function)
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
    return _kept(function, parallel=True)


def njit(signature_or_function=None, *, cache=True, **options):
    """Compile a function of yours that calls kernels: ``numba.njit``, with a cache on disk that is never stale.

    With ``numba.njit(cache=True)`` the kernels are compiled into your function's own cache entry, which Numba checks
    against your source file and nothing else. Here an entry is also valid only for the kernels' sources, for the
    options of the decorator and of Numba's environment variables, and for the source files of the other compiled
    functions, and the values of the global constants, that your function names. Where no folder can be written, the
    function is compiled in memory, with a warning, where Numba raises.

    Parameters
    ----------
    signature_or_function : callable, signature or list of signatures, optional
        As in ``numba.njit``; signatures are compiled, or loaded, at once.
    cache : bool
        False for what ``numba.njit`` does without a cache.
    **options
        Those of ``numba.njit``: ``parallel``, ``nogil``, ``error_model``, ``fastmath``, ``boundscheck``, ``inline``,
        ... None is preset, and the same function may be compiled with several sets of them.

    Returns
    -------
    numba.core.registry.CPUDispatcher
        Or a decorator, where no function was given; the function itself when ``NUMBA_DISABLE_JIT=1``.

    Notes
    -----
    Not noticed are changes behind what a name means to Numba alone: ``numba.extending.overload``, methods of a
    ``jitclass``, functions passed as arguments or held by a closure.
    """
    if signature_or_function is None or isinstance(signature_or_function, list):
        signatures = signature_or_function
    elif sigutils.is_signature(signature_or_function):
        signatures = [signature_or_function]
    else:
        return _cached(signature_or_function, None, cache, options)
    return lambda function: _cached(function, signatures, cache, options)


def _cached(function, signatures, cache, options):
    dispatcher = numba.njit(**options)(function)
    if config.DISABLE_JIT:
        return dispatcher
    if cache:
        dispatcher._cache = caller_cache(function, options)
    if signatures is not None:
        with typeinfer.register_dispatcher(dispatcher):  # so that it may call itself
            for signature in signatures:
                dispatcher.compile(signature)
        dispatcher.disable_compile()
    return dispatcher
