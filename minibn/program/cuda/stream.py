"""The executor for large models: launches of kernels on one stream, one line after the other.

The launches of a step are the same for all batches of a size, so those of a full batch are recorded once, where the
driver can do that, and played from then on as one CUDA graph. A ragged last batch is launched line by line.
"""

from functools import partial

import numpy as np

from minibn.kernels.cuda.arrays import to_device
from minibn.kernels.cuda.graph import record
from minibn.program.cuda.launches import Launches
from minibn.program.instructions import COLUMN, Code

_BEGIN = np.array([0, 0, -1], np.int32)
_RECORDED_FROM = 4  # full batches: recording costs about as much as launching a few


class StreamExecutor:
    """Plays a range of lines launch by launch.

    Parameters
    ----------
    program : CudaProgram
    lines : ndarray of int64, shape (lines, fields)

    Attributes
    ----------
    recorded : bool
        Whether the last play ran from a CUDA graph.
    """

    def __init__(self, program, lines):
        self._program, self._trains = program, bool(lines[-1, 0] >= Code.SGD_UPDATE)
        self._lines = program.memory.table(lines).reshape(len(lines), -1)
        self._clock = to_device(_BEGIN, program.stream)
        self._sums = to_device(np.zeros(2, np.float32), program.stream)
        self._graph, self.recorded = (None, None), False

    def play(self, batches, results, output, out, written):
        """Play the lines over all batches; see :meth:`minibn.program.cuda.persistent.PersistentExecutor.play`."""
        p, (full, last) = self._program, _cut(batches)
        self._clock.copy_to_device(_BEGIN, stream=p.stream)
        step = (batches, results, output, out if written else None)
        whole = self._step(*step, batches.size) if full else []
        rest = self._step(*step, last) if last else []
        epochs = batches.rows // max(batches.epoch, 1)
        again = self._again(whole, full * epochs, (batches, results, out))
        for epoch in range(epochs):
            for _ in range(full - (epoch == 0)):
                again()
            _launch(rest)
        p.state[:1].copy_to_device(self._clock[2:], stream=p.stream)

    def _step(self, batches, results, output, out, rows):
        """Return the launches of one batch."""
        p = self._program
        make = Launches(p, batches, results, self._clock, self._sums, self._trains, rows)
        steps = make.gather(int(self._lines[0, COLUMN["x"]]))
        for line in self._lines:
            steps += make.of(line)
        return [*steps, *([] if out is None else [make.write(output, out)]), make.advance()]

    def _again(self, launches, count, key):
        """Play a first full batch launch by launch; return what plays the others, a graph where that pays."""
        _launch(
            launches
        )  # compiles, and reserves memory of partial results: neither can be done while recording
        again, self.recorded = partial(_launch, launches), False
        if count >= _RECORDED_FROM:
            if not _same(self._graph[0], key):
                self._graph = key, record(self._program.stream, again)
            if self._graph[1] is not None:
                again, self.recorded = self._graph[1], True
        return again


def _launch(launches):
    for launch in launches:
        launch()


def _cut(batches):
    """Return the number of full batches of an epoch, and the rows of the last one if that is another; else 0."""
    full, rest = divmod(batches.epoch, batches.size)
    if batches.joins and rest == 1 and full:
        return full - 1, batches.size + 1
    return full, rest


def _same(known, key):
    """Say whether a graph was recorded with these arrays, whose addresses it holds."""
    if known is None:
        return False
    (batches, *arrays), (other, *others) = known, key
    return batches.same_arrays(other) and all(a is b for a, b in zip(arrays, others, strict=True))
