"""How an (N, C) or (N, C, L) array is walked: positions, groups of channels, blocks of rows.

A row has C * L *positions*, and position p belongs to channel p // L. Factors are expanded to one entry per
position in tables of at most :data:`TILE` entries, for one *group* of channels at a time:

- where a row fits into a table, all channels are one group, and a table holds several *copies* of them: a table
  of width W = copies * C * L fits the array at every multiple of W, and narrow rows are walked as wide ones;
- where it does not, a group is as many channels as fit;
- where not even one channel fits, a group is one channel, and its factors, the same everywhere, fill the table.

Rows are taken in blocks. Group and block depend on the shape alone, never on the number of threads.
"""

from minibn.kernels.compile import kernel_part, subroutine
from minibn.kernels.cpu.scratch import TILE

BLOCK = 65536
"""Elements of a block of rows, where its rows are between 8 and 1024."""

CHANNELS, LENGTH, GROUP, SPREAD, COPIES, ROWS = range(6)
"""Entries of a plan: C, L, channels of a group, entries of a channel in a table, copies, rows of a block."""


def plan_of(rows, channels, size):
    """Return the plan for an array of some rows, channels and elements; see the module's docstring."""
    positions = size // rows
    length = positions // channels
    group, spread, copies = channels, length, 1
    if positions <= TILE:
        # The widest power of two in the number of positions decides how many rows fill whole lines; but the loops
        # take eight wide rows at once, where there are as many.
        copies = min(16 // min(positions & -positions, 16), max(rows // 8, 1))
        if size >= 1 << 22:
            copies *= max(TILE // (positions * copies), 1)
        copies = min(copies, TILE // positions, rows)
    elif length > TILE:
        group, spread, copies = 1, 1, 64
    else:
        group = TILE // length
    return channels, length, group, spread, copies, min(max(BLOCK // (group * length), 8), 1024)


make_plan = subroutine(plan_of)
"""``make_plan(rows, channels, size)``: :func:`plan_of` for kernels."""


@kernel_part
def rows_of_part(plan, rows, part, parts):
    """Return the first row of a part and the first behind it: whole blocks, shared out evenly."""
    step = plan[ROWS]
    blocks = (rows + step - 1) // step
    return blocks * part // parts * step, min(blocks * (part + 1) // parts * step, rows)


def extents(plan, first, last, begin, end):
    """Return how rows first to last of channels begin to end are swept, in plain Python.

    Parameters
    ----------
    plan : tuple of int
    first, last, begin, end : int

    Returns
    -------
    pieces, start, distance : int
        Number of sweeps, first element of the first, and elements between their first elements.
    rows, stride, width, rest : int
        Of each sweep: rows of ``width`` elements, ``stride`` apart, and a last one of ``rest`` elements.
    """
    channels, length, group, spread, copies, _ = plan
    positions, rows, table = channels * length, last - first, group * spread * copies
    pieces, size = (1, rows * positions) if group == channels else (rows, length)
    each = size // table, table, table, size % table
    if group < channels and spread == length:
        pieces, each = 1, (rows, positions, (end - begin) * length, 0)
    return pieces, (first * channels + begin) * length, positions, *each
