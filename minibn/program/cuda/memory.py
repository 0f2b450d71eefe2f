"""A program's memory on the device, and what it shares with the arenas of the host."""

import numpy as np

from minibn.kernels.cuda.arrays import to_device
from minibn.program.instructions import COLUMN, MEMORY

_ALIGNMENT = 16  # entries: 64 bytes


def _padded(size):
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def in_two_parts(values):
    """Return float64 numbers as float32, and what that left out, which is 0 where a number is not finite."""
    high = values.astype(np.float32)
    with np.errstate(invalid="ignore"):
        low = np.where(np.isfinite(high), values - high, 0)
    return high, low.astype(np.float32)


class DeviceMemory:
    """All numbers of a program in one float32 array of the device, and the counters in one of int64.

    First the arena; then the statistics, where a span of n float64 numbers is one of n float32 numbers with n more
    behind it, which hold what the first ones left out; then room for the targets of a batch. Between two plays the
    arenas of the host hold the truth: :meth:`upload` takes over what a play reads from an earlier one, and
    :meth:`download` gives back what it changed.

    Parameters
    ----------
    lines : Lines
    targets : int
        Entries of the targets of a batch; 0 for labels.
    stream : Stream
        Of ``numba.cuda``.

    Attributes
    ----------
    values : device array of float32
    counts : device array of int64
    saved : int
        Entries from the first one on that hold parameters, their gradients and optimizer state.
    weight_at, target_at : int
        Where weights and targets of a batch go, -1 for none.
    """

    def __init__(self, lines, targets, stream):
        self._stream = stream
        self._statistics_at = _padded(lines.arena.size)
        self._target_at = self._statistics_at + 2 * _padded(lines.stats.size)
        self.values = to_device(np.zeros(self._target_at + _padded(targets), np.float32), stream)
        self.counts = to_device(np.zeros(lines.counts.size, np.int64), stream)
        saved = [*lines.parameters.values(), *lines.slots.values()]
        self.saved = max((span.offset + span.size for span in saved), default=0)
        self._fixed = [span for _, span in lines.fixed]
        self._places = _places(lines.stats)
        self._sent = None
        self.weight_at = self._statistics_at if lines.weighted else -1
        self.target_at = self._target_at if targets else -1

    def home(self, offset):
        """Return the entry of the float64 statistics that lies at an offset of this memory."""
        return (offset - self._statistics_at) // 2

    def table(self, lines):
        """Return lines with the offsets of this memory, ndarray of int32, one line behind the other."""
        moved = lines.copy()
        for name, memory in MEMORY.items():
            if memory == "stats":
                column = moved[:, COLUMN[name]]
                column[column >= 0] = self._statistics_at + 2 * column[column >= 0]
        return moved.astype(np.int32).reshape(-1)

    def upload(self, arena, stats, counts):
        """Copy parameters, optimizer state, statistics and counters to the device."""
        self._write(0, arena[: self.saved])
        for span in self._fixed:
            self._write(span.offset, arena[span.offset : span.offset + span.size])
        self._sent = self._packed(stats)
        self._write(self._statistics_at, self._sent)
        self.counts.copy_to_device(counts, stream=self._stream)

    def _write(self, start, values):
        if values.size:
            self.values[start : start + values.size].copy_to_device(values, stream=self._stream)

    def _packed(self, stats):
        entries, first, second = self._places
        packed = np.zeros(2 * stats.size, np.float32)
        packed[first], packed[second] = in_two_parts(stats[entries])
        return packed

    def download(self, arena, stats, counts, everything=False):
        """Copy the same back, and the rest of the arena where ``everything`` is asked for.

        A statistic that the device left alone keeps all bits of its float64.
        """
        saved = arena.size if everything else self.saved
        if saved:
            self.values[:saved].copy_to_host(arena[:saved], stream=self._stream)
        packed = np.empty_like(self._sent)
        end = self._statistics_at + packed.size
        self.values[self._statistics_at : end].copy_to_host(packed, stream=self._stream)
        self.counts.copy_to_host(counts, stream=self._stream)
        self._stream.synchronize()
        self._unpack(packed, stats)

    def _unpack(self, packed, stats):
        entries, first, second = self._places
        changed = (packed[first] != self._sent[first]) | (packed[second] != self._sent[second])
        merged = packed[first].astype(np.float64) + packed[second]
        stats[entries[changed]] = merged[changed]


def _places(layout):
    """Return the entries of all spans of float64, and where their first and their second parts lie."""
    entries, first, second = [], [], []
    for span in layout.spans:
        within = np.arange(span.size)
        entries.append(span.offset + within)
        first.append(2 * span.offset + within)
        second.append(2 * span.offset + span.size + within)
    return tuple(np.concatenate(part) for part in (entries, first, second))
