"""What CUDA needs, and what of it is here: driver, numba-cuda, and the libraries that compile and multiply."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from minibn.kernels.cuda import target

PIP = "pip install 'minibn[cuda]'"
PIP_CUBLAS = "pip install 'nvidia-cublas>=13,<14'"
_COMPILERS = {"nvvm": "NVVM", "nvrtc": "NVRTC", "nvJitLink": "nvJitLink"}


@dataclass(frozen=True)
class Part:
    """One thing that CUDA needs.

    Attributes
    ----------
    name : str
    found : str or None
        Version, place or device; None where it is missing.
    remedy : str or None
        What mends it, where it is missing.
    needed : bool
        Whether nothing works without it.
    """

    name: str
    found: str | None
    remedy: str | None = None
    needed: bool = True


def parts(driver):
    """Return what CUDA needs, list of Part: driver, numba-cuda, toolkit, cuBLAS.

    Parameters
    ----------
    driver : str or None
        File name of the driver's library, where it is installed.
    """
    return [
        Part("driver", _driver(driver), "install NVIDIA's driver, 580 or newer"),
        Part("numba-cuda", _target_version(), PIP),
        Part("toolkit", _compilers(), PIP),
        Part("cuBLAS", library("cublas"), PIP_CUBLAS, needed=False),
    ]


def _driver(name):
    if target.SIMULATED:
        return "simulated by Python (NUMBA_ENABLE_CUDASIM)"
    if name is None or target.cuda is None or not target.cuda.is_available():
        return None
    device = target.cuda.get_current_device()
    capability = ".".join(map(str, device.compute_capability))
    label = device.name.decode() if isinstance(device.name, bytes) else device.name
    return f"{name}, {label}, compute capability {capability}"


def _target_version():
    installed = _version("numba-cuda")
    if installed is None or target.cuda is None:
        return None
    return f"{installed} with numba {_version('numba')}"


def _compilers():
    missing = [label for name, label in _COMPILERS.items() if library(name) is None]
    return None if missing else ", ".join(_COMPILERS.values())


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def library(name):
    """Return the path of one of NVIDIA's libraries, None where it cannot be loaded."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return load_nvidia_dynamic_lib(name).abs_path
    except (ImportError, RuntimeError, OSError):  # pathfinder's own errors are RuntimeErrors
        return None
