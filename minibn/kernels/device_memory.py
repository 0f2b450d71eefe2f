"""Where an array says by DLPack that it lies; nothing here imports ``numba.cuda``."""

from minibn.errors import DeviceError

CUDA = 2  # DLPack's kDLCUDA


def device_of(array):
    """Return the number of the CUDA device on which an array says by DLPack that it lies, None where it says none."""
    try:
        kind, number = array.__dlpack_device__()
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return None
    return int(number) if kind == CUDA else None


def refuse_other_device(name, number, current):
    """Refuse an array of another GPU than the current one; None for one that does not say where it lies.

    Raises
    ------
    DeviceError
    """
    if number is not None and number != current:
        raise DeviceError(
            f"{name} must lie on the current device, cuda:{current}, got cuda:{number}; "
            "move it there, or make its device the current one"
        )
