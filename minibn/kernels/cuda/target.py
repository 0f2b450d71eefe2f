"""The one file that names ``numba.cuda``: what a kernel is made with, and what to say where that is missing.

numba-cuda is in maintenance; its successor has to fit in here, and its vector loads into
:mod:`minibn.kernels.cuda.vectors`. Nothing here has a signature, so importing needs neither a driver nor a device.
"""

import ctypes
import functools
import warnings

from numba.core import config

from minibn.errors import DeviceError

try:
    from numba import cuda
except (
    ImportError,
    AttributeError,
) as error:  # a numba without it, or one that the numba-cuda here does not fit
    cuda = None  # type: ignore[assignment]
    _broken = " ".join(str(error).split())

#: Whether kernels run as Python threads, one per CUDA thread (``NUMBA_ENABLE_CUDASIM=1``).
SIMULATED = bool(config.ENABLE_CUDASIM)  # type: ignore[attr-defined]
_PIP = "pip install 'minibn[cuda]'"


def missing():
    """Say in one line what CUDA kernels lack here, and the remedy; None where they can run."""
    if cuda is None:
        return f"numba.cuda cannot be imported ({_broken}); {_PIP}"
    if cuda.implementation != "NVIDIA":
        return f"CUDA kernels need numba-cuda, which is not installed; {_PIP}"
    if not cuda.is_available() and not cuda.cuda_error():
        return f"NVVM, which compiles CUDA kernels, is not installed; {_PIP}"
    if not cuda.is_available():
        reason = " ".join(cuda.cuda_error().split()).split(". ")[0]
        return f"no CUDA device can be used ({reason}); install NVIDIA's driver, 580 or newer, or use the CPU"
    return None


def require():
    """Raise where CUDA kernels cannot run.

    Raises
    ------
    DeviceError
        With the line of :func:`missing`.
    """
    if reason := missing():
        raise DeviceError(reason)


def multiprocessors():
    """Return the number of multiprocessors of the current device; of the simulator, 1."""
    return 1 if SIMULATED else cuda.get_current_device().MULTIPROCESSOR_COUNT


def device_number():
    """Return the number of the current device; of the simulator, 0."""
    return 0 if SIMULATED else cuda.get_current_device().id


def driver_error():
    """Return the class of the errors that the driver reports."""
    from numba.cuda.cudadrv.driver import CudaAPIError

    return CudaAPIError


def kernel(threads):
    """Return a decorator that compiles a kernel for blocks of at most ``threads`` threads, on its first launch."""
    return cuda.jit() if SIMULATED else cuda.jit(launch_bounds=threads)


def ready(function, grid, threads, stream):
    """Return a kernel for a grid, a number of threads and a stream, ready to be called."""
    return function[grid, threads, stream] if SIMULATED else _configured(function, grid, threads, stream)


@functools.lru_cache(maxsize=1024)
def _configured(function, grid, threads, stream):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few blocks, which is what small data takes
        return function[grid, threads, stream]


def device_function(function):
    """Make a function that becomes a part of every kernel that calls it, so that it can be compiled without a device."""
    return (cuda.jit(device=True) if SIMULATED else cuda.jit(device=True, inline="always"))(function)


def intrinsic(function):
    """Make a function out of one that writes LLVM's code."""
    from numba.cuda.extending import intrinsic as make

    return make(function)


def address_of(array):
    """Return where an array begins in the memory of the device."""
    return array.ctypes.data if SIMULATED else (array.device_ctypes_pointer.value or 0)


def stream_address(stream):
    """Return what libraries of NVIDIA's call a stream: 0 for the default one, and for those of the simulator."""
    if SIMULATED:
        return 0
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    return int(getattr(stream, "handle", stream))


def load_library(name):
    """Load a library of NVIDIA's from where the installed packages or the toolkit keep it.

    Parameters
    ----------
    name : str
        Such as "cublas".

    Returns
    -------
    ctypes.CDLL or None
        None where it is not to be found, and where no device is there to use it.
    """
    if SIMULATED or missing():
        return None
    try:
        from cuda import pathfinder

        path = pathfinder.load_nvidia_dynamic_lib(name).abs_path
        return ctypes.CDLL(path) if path else None
    except (ImportError, RuntimeError, OSError):
        return None
