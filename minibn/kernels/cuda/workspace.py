"""Memory for the partial results of blocks: one workspace per stream, grown to the largest call so far."""

import numpy as np

from minibn.kernels.cuda.arrays import to_device
from minibn.kernels.cuda.target import device_number, stream_address


class Workspace:
    """Partial sums of blocks and the counters of their arrival.

    Calls that may run at the same time need workspaces of their own. While a CUDA graph is captured nothing can be
    allocated: run the calls once before, with the same workspace. What it outgrows it keeps, since a graph captured
    before goes on using that; it at least doubles, so that this is never more than it has in use.
    """

    def __init__(self):
        self._partials = self._arrivals = None
        self._outgrown = []

    def reserve(self, partials, counters, stream=0):
        """Return arrays of at least so many float32 partials and int32 counters; the counters are 0 between calls."""
        self._partials = self._grown(self._partials, partials, 1024, np.float32, stream)
        self._arrivals = self._grown(self._arrivals, counters, 256, np.int32, stream)
        return self._partials, self._arrivals

    def _grown(self, array, size, least, dtype, stream):
        """Return the array, or a larger one of zeros where it is too small."""
        if array is not None and array.size >= size:
            return array
        if array is not None:
            self._outgrown.append(array)
            least = 2 * array.size
        return to_device(np.zeros(max(size, least), dtype), stream)


_WORKSPACES: dict = {}


def workspace_of(stream):
    """Return the workspace that all calls on a stream share, which wait for each other anyway."""
    return _WORKSPACES.setdefault((device_number(), stream_address(stream)), Workspace())


def room_for(where, stream, workspace):
    """Return memory for the partial results of an array's blocks, and a counter per tile.

    Parameters
    ----------
    where : minibn.kernels.cuda.positions.Positions
    stream : Stream
    workspace : Workspace or None
        None for that of the stream.
    """
    return (workspace or workspace_of(stream)).reserve(where.partials, where.tiles, stream)


def forget_workspaces():
    """Give the memory of all streams back, and begin anew: for after a launch that failed halfway."""
    _WORKSPACES.clear()
