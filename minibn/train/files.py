"""Safetensors files with JSON metadata, written so that a reader never sees half of one."""

import errno
import json
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from minibn.errors import CheckpointError, WriteError


def write_atomically(path, data):
    """Write bytes to a temporary file beside ``path``, sync it, and rename it over ``path``.

    Raises
    ------
    WriteError
        Naming ``path``, when its folder is missing or the system refuses to write there.
    """
    path = Path(path)
    try:
        _write(path, data)
    except OSError as error:
        raise _failure(path, _obstacle(path, error), error) from error


def make_folder(path):
    """Make a folder, and those that it lies in, where it is not there.

    Raises
    ------
    WriteError
        Naming ``path``, when that cannot be.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failure(path, f"{error.strerror}; give another path", error) from error


def check_folder(path):
    """Raise what :func:`make_folder` would, where a file is in the way or a name too long; make nothing."""
    path = Path(path)
    try:
        for place in (path, *path.parents):
            if place.exists():
                if not place.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                return
    except OSError as error:
        raise _failure(path, f"{error.strerror}; give another path", error) from error


def _failure(path, obstacle, error):
    failure = WriteError(f"{path} cannot be written: {obstacle}")
    failure.errno = error.errno  # not an argument: Python would make another message of it
    return failure


def _obstacle(path, error):
    """Return in words why a path cannot be written, and the remedy."""
    folder = path.parent
    if isinstance(error, PermissionError):  # and nothing may be asked about it
        return f"{error.strerror}; give another path"
    if path.is_dir():
        return "it is a folder; name a file in it"
    if folder.is_dir():
        return f"{error.strerror or error}; make room or give another path"
    if folder.exists():
        return f"{folder} is a file; name a folder"
    return f"there is no folder {folder}; make it first, Path({str(folder)!r}).mkdir(parents=True)"


def _write(path, data):
    # One fixed name: what a killed run leaves behind is overwritten by the next save.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder):
    """Make the rename itself survive a power cut, where folders can be opened."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write(path, arrays, metadata):
    """Write named arrays and JSON-able metadata as one safetensors file, atomically."""
    arrays = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    # One key: safetensors writes several in random order, and equal runs should give equal files.
    write_atomically(path, save(arrays, {"minibn": json.dumps(metadata)}))


def read(path):
    """Read what :func:`write` wrote.

    Returns
    -------
    arrays : dict of str to ndarray
    metadata : dict

    Raises
    ------
    CheckpointError
        When the file is missing, truncated, or not one of minibn's. Reading runs no code from the file.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}; pass a run folder or its model.safetensors")
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = json.loads((file.metadata() or {}).get("minibn", "{}"))
    # AttributeError: a dtype that safetensors knows and NumPy does not, such as 8-bit floats.
    except (
        SafetensorError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise CheckpointError(
            f"{path} is damaged or not a checkpoint of minibn ({error}); use an intact copy"
        ) from error
    if not isinstance(metadata, dict) or metadata.get("format") != "minibn":
        raise CheckpointError(
            f"{path} is not a checkpoint of minibn; pass a file written by minibn train, or weights of PyTorch to "
            "minibn.interop.from_torch"
        )
    return arrays, metadata
