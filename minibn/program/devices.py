"""Where to compute: the choice of a device, and what CUDA lacks here. Imports ``numba.cuda`` only where it may be used."""

import ctypes
import os
import sys

from minibn.errors import ArgumentError, DeviceError

DEVICES = ("auto", "cpu", "cuda")
CANNOT = "device 'cuda' cannot be used: "
_DRIVERS = {"win32": ("nvcuda.dll",)}


def choose(device):
    """Return the device to compute on, ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    device : str
        ``"auto"`` stands for CUDA where it can be used, and for the CPU elsewhere.

    Raises
    ------
    ArgumentError
    DeviceError
        When ``"cuda"`` cannot be used; the message says what is missing.
    """
    if device not in DEVICES:
        raise ArgumentError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu":
        return device
    missing = what_is_missing()
    if missing and device == "cuda":
        raise DeviceError(missing)
    return "cpu" if missing else "cuda"


def what_is_missing():
    """Say in one line why CUDA cannot be used here, and the remedy; None where it can.

    Where the driver is missing nothing else is looked at, which takes no time.
    """
    if not simulated() and driver() is None:
        return (
            f"{CANNOT}no NVIDIA driver is installed ({' or '.join(_names())}); "
            "install driver 580 or newer, or use the CPU (--device cpu, device='cpu')"
        )
    from minibn.kernels.cuda import target

    missing = target.missing()
    return missing and CANNOT + missing


def simulated():
    """Say whether CUDA is played by Python (``NUMBA_ENABLE_CUDASIM=1``)."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def _names():
    return _DRIVERS.get(sys.platform, ("libcuda.so.1", "libcuda.so"))


def driver():
    """Return the file name of NVIDIA's driver library, None where it is not installed."""
    for name in _names():
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None
