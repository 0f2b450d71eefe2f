"""Memory for the partial results of blocks: one workspace per stream, grown to the largest call so far."""

import numpy as np

from minibn.kernels.cuda.arrays import to_device
from minibn.kernels.cuda.target import stream_address


class Workspace:
    """Partial sums of blocks and the counters of their arrival.

    Calls that may run at the same time need workspaces of their own. While a CUDA graph is captured nothing can be
    allocated: run the calls once before, with the same workspace.
    """

    def __init__(self):
        self._partials = self._arrivals = None

    def reserve(self, partials, counters, stream=0):
        """Return arrays of at least so many float32 partials and int32 counters; the counters are 0 between calls."""
        if self._partials is None or self._partials.size < partials:
            self._partials = to_device(np.zeros(max(partials, 1024), np.float32), stream)
        if self._arrivals is None or self._arrivals.size < counters:
            self._arrivals = to_device(np.zeros(max(counters, 256), np.int32), stream)
        return self._partials, self._arrivals


_WORKSPACES: dict = {}


def workspace_of(stream):
    """Return the workspace that all calls on a stream share, which wait for each other anyway."""
    return _WORKSPACES.setdefault(stream_address(stream), Workspace())


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
