"""Timing on the device: calls recorded as a CUDA graph, so that launching costs nothing, replayed in turn."""

import numpy as np

_CALLS = 20  # of a graph, at least
_WARM = 3


class Replay:
    """Times functions that queue work on one stream, which PyTorch and Numba share."""

    def __init__(self):
        import torch

        from minibn.kernels.cuda.target import cuda

        self._torch = torch
        self._stream = torch.cuda.Stream()
        self.stream = cuda.external_stream(self._stream.cuda_stream)

    def _recorded(self, call, sets):
        """Return a graph of as many calls as there are sets of inputs, taken in turn, and at least a few."""
        torch, count = self._torch, -(-_CALLS // sets) * sets
        with torch.cuda.stream(self._stream):
            for i in range(max(_WARM, sets)):
                call(i % sets)
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            for i in range(count):
                call(i % sets)
        return graph, count

    def _seconds(self, graph):
        """Return the seconds of one replay, on the clock of the device."""
        torch = self._torch
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.stream(self._stream):
            first.record(self._stream)
            graph.replay()
            last.record(self._stream)
        last.synchronize()
        return first.elapsed_time(last) / 1e3

    def interleave(self, subjects, sets, rounds):
        """Time some functions in turn, each round beginning with another one.

        Parameters
        ----------
        subjects : dict of str to callable
            Each is called with the number of a set of inputs.
        sets : int
            How many there are: together larger than the cache, so that none is still in it.
        rounds : int

        Returns
        -------
        dict of str to ndarray
            Seconds per call, one entry per round.
        """
        graphs = {name: self._recorded(call, sets) for name, call in subjects.items()}
        for graph, _ in graphs.values():
            self._seconds(graph)
        names, seconds = list(graphs), {name: np.empty(rounds) for name in graphs}
        for i in range(rounds):
            for name in names[i % len(names) :] + names[: i % len(names)]:
                graph, count = graphs[name]
                seconds[name][i] = self._seconds(graph) / count
        return seconds
