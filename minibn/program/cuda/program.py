"""The program on the device: the same lines and the same calls as on the CPU."""

import numpy as np

from minibn.errors import ArgumentError, DtypeError, ProgramError
from minibn.kernels.cuda.arrays import empty, to_device
from minibn.kernels.cuda.target import cuda, require
from minibn.kernels.cuda.workspace import Workspace
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program.cuda.batches import Batches
from minibn.program.cuda.data import DeviceData
from minibn.program.cuda.memory import DeviceMemory
from minibn.program.cuda.persistent import PersistentExecutor
from minibn.program.cuda.stream import StreamExecutor
from minibn.program.instructions import Code
from minibn.program.program import Program
from minibn.program.schedule import Schedule

ONE_BLOCK = 2**19
"""Multiply-adds of a training step up to which one block plays it.

One multiprocessor does about 16 of them a cycle where each takes two numbers from its first-level cache, so these take
about 20 us; a step launched line by line takes at least that long, whatever its size. Computed, not measured.
"""
_LARGEST = 2**31  # entries that an int32 counts
EXECUTORS = {"persistent": PersistentExecutor, "stream": StreamExecutor}


class CudaProgram(Program):
    """A captured training step that is played on a CUDA device; make one with ``capture(..., device="cuda")``.

    Calls and results are those of :class:`minibn.program.Program`. Parameters, statistics and optimizer state are
    copied to the device before a call and back after it; data are copied when they are first seen. Nothing is
    copied in between.

    Attributes
    ----------
    executor : str
        ``"persistent"``: one kernel of one block plays whole epochs; ``"stream"``: a launch per line. The size of
        the model chooses; set it to choose otherwise.
    """

    one_call = False

    def __init__(self, lines, model, loss, optimizer, max_batch):
        require()
        if lines.arena.dtype != np.float32:
            raise DtypeError(
                f"model must be float32 on CUDA, got {lines.arena.dtype}; build it with dtype=np.float32, "
                "or train with device='cpu', which takes float64"
            )
        super().__init__(lines, model, loss, optimizer, max_batch)
        targets = 0 if self._inputs.classifies else self._room[1].size
        self.stream = cuda.stream()
        self.memory = DeviceMemory(lines, targets, self.stream)
        if self.memory.values.size >= _LARGEST:
            raise ProgramError(
                f"the arena of {self.memory.values.size:,} entries is too large for CUDA; use a smaller batch_size, or device='cpu'"
            )
        self._data = DeviceData(self.stream)
        self.labels = to_device(np.zeros(max(max_batch, EVALUATION_BLOCK), np.int32), self.stream)
        self.state = to_device(np.zeros(1, np.int32), self.stream)
        self.workspace = Workspace()
        self._played, self._buffers, self._values, self._keeps = {}, {}, {}, True
        self.executor = "persistent" if multiply_adds(lines, max_batch) <= ONE_BLOCK else "stream"

    def forget_data(self):
        """Drop the device's copies of data: call it after changing an array that was trained on."""
        self._data.forget()

    def fetch(self):
        """Copy the whole arena from the device, gradients and activations of the last batch included."""
        self.memory.download(self.arena, self.stats, self.counts, everything=True)

    def warm(self, x, y):
        """Compile what training on data like these needs: a batch is played, and what it trained is left there."""
        source = self._sources.find(x)
        rows = min(len(source.x), self.max_batch - 1)
        classes = self._inputs.classes
        labels = np.zeros(rows if self._inputs.classifies else (rows, classes), np.int64)
        self._set_scalars()
        self._keeps = False
        try:
            targets = self._inputs.targets(labels, rows)
            self._play(Schedule([self._train_pass(rows, rows, rows)]), 1, [source], targets, np.arange(rows))
        finally:
            self._keeps = True

    def _described(self, x):
        return None  # copied to the device by address and shape

    def _player(self, first, last):
        """Return what plays a range of lines, with the executor that is chosen now."""
        if self.executor not in EXECUTORS:
            raise ArgumentError(f"executor must be one of {', '.join(EXECUTORS)}, got {self.executor!r}")
        key = self.executor, first, last
        if key not in self._played:
            self._played[key] = EXECUTORS[self.executor](self, self._table[first:last])
        return self._played[key]

    def _call(self, schedule, epochs, sources, targets, order, rates, results, out):
        (one,), (labels, targets, sample_weight) = schedule.passes, targets
        x, classes = sources[0].x, self._inputs.classes
        if _outside(order, len(x), labels, classes):
            return -2
        steps, get = max(results.shape[1], 1), self._data.get
        batches = Batches(
            get(x, np.float32), x.shape[1], get(labels, np.int32), labels.size > 0, get(targets, np.float32),
            self.memory.target_at if targets.size else -1, get(sample_weight, np.float32),
            self.memory.weight_at if sample_weight.size else -1, self._sent("order", order, np.int32), len(order), one.rows, one.batch_size,
            one.joins, self._sent("rates", rates, np.float32), rates.size > 0, steps,
        )  # fmt: skip
        found = self._buffer("results", 3 * steps)
        written = self._buffer("outputs", out.size) if out.size else found
        self.memory.upload(self.arena, self.stats, self.counts)
        self._player(one.first, one.last).play(batches, found, one.output, written, out.size > 0)
        failed = self._report(
            found, results, written, out, self._keeps and (one.first, one.last) == self._training
        )
        _add_up(results, max(schedule.steps, 1))
        return failed

    def _buffer(self, name, size):
        """Return an array of float32 for outputs, the same as long as its size stays, so that a graph stays valid."""
        found = self._buffers.get(name)
        if found is None or found.size != size:
            found = self._buffers[name] = empty(size, self.stream)
        return found

    def _sent(self, name, array, dtype):
        """Copy an array into a buffer of the device, of one entry where it is empty: that has no address there."""
        values, found = array.astype(dtype), self._buffers.get(name)
        self._values[name] = values  # until the play is over: the driver may read it later than this returns
        if found is None or found.size != max(array.size, 1):
            values = values if values.size else np.zeros(1, dtype)
            self._buffers[name] = to_device(values, self.stream)
        elif values.size:
            found.copy_to_device(values, stream=self.stream)
        return self._buffers[name]

    def _report(self, there, results, written, out, trained):
        """Copy back what a play reports, and what it trained."""
        found = there.copy_to_host(stream=self.stream)
        failed = self.state.copy_to_host(stream=self.stream)
        if out.size:
            written.copy_to_host(out.reshape(-1), stream=self.stream)
        if trained:
            self.memory.download(self.arena, self.stats, self.counts)
        self.stream.synchronize()
        losses, weights, _, _, *correct = results
        for part, values in zip((losses, weights, *correct), found.reshape(3, -1), strict=False):
            part[...] = values[: part.size]
        return int(failed[0])


def _add_up(results, steps):
    """Write what each batch and those before it in its epoch of so many steps lost, and what that divides by."""
    losses, weights, totals, shares = results[:4].reshape(4, -1, steps)
    with np.errstate(all="ignore"):  # a play that ended early, or had no loss, wrote nothing there
        np.cumsum(losses * weights, axis=1, out=totals)
        np.cumsum(weights, axis=1, out=shares)


def multiply_adds(lines, rows):
    """Return the multiply-adds of a training step of so many rows: of its products, forward and backward."""
    sizes = [line.operands for line in lines.forward if line.code == Code.DENSE_FORWARD]
    return 3 * rows * sum(size["inputs"] * size["outputs"] for size in sizes)


def _outside(order, rows, labels, classes):
    """Say whether some row, or the label of some row, lies outside of its range."""
    if not order.size:
        return False
    if order.min() < 0 or order.max() >= rows:
        return True
    met = labels[order] if labels.size else labels
    return met.size > 0 and (met.min() < 0 or met.max() >= classes)
