"""The disk cache of all compiled kernels: what there is, and removing it."""

from minibn.kernels.cache import kernel_folders
from minibn.kernels.entries import cache_files, describe


def cache_folders():
    """Return what the disk cache of minibn's kernels holds.

    Returns
    -------
    list of CacheFolder
        Empty where no folder is writable.
    """
    return [describe(folder) for folder in _folders()]


def clear_cache(stale=False):
    """Remove minibn's own compiled kernels from disk; those of other packages stay.

    Parameters
    ----------
    stale : bool
        Remove only what is stale.

    Returns
    -------
    entries, bytes : int
        Compiled versions and bytes removed.

    Raises
    ------
    OSError
        When a file cannot be removed.
    """
    files = [file for folder in _folders() for file in cache_files(folder, stale)]
    for path, _ in files:
        path.unlink(missing_ok=True)
    return sum(path.suffix == ".nbc" for path, _ in files), sum(size for _, size in files)


def _folders():
    """Return the folders of all kernels, those of the executor too, where there is something."""
    from minibn.program import executor, operations  # noqa: F401  kernels name their folder when they are defined

    return [folder for folder in kernel_folders() if folder.is_dir()]
