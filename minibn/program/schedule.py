"""What the executor plays: passes over rows, one behind the other, and all of them again for every epoch."""

from typing import NamedTuple

import numpy as np


class Pass(NamedTuple):
    """A range of lines, played batch by batch over some rows.

    Attributes
    ----------
    first, last : int
        The lines, of all that a program has.
    start, rows : int
        Where its rows begin in the order of play, and how many they are.
    again : int
        How much later they begin in the next epoch; 0 for the same rows in every epoch.
    batch_size : int
    joins : bool
        Whether a last batch of a single row joins the one before it.
    source : int
        The data that its rows are of, counted from 0.
    limit : int
        Rows of these data.
    target : int
        Where labels, targets and weights of these data begin.
    output : int
        Where the network's output begins in the arena.
    watched : bool
        Whether a loss that is not finite ends the play.
    """

    first: int
    last: int
    start: int
    rows: int
    again: int
    batch_size: int
    joins: bool
    source: int
    limit: int
    target: int
    output: int
    watched: bool

    @property
    def steps(self):
        """Number of batches; a last one of a single row may join the one before it."""
        whole = -(-self.rows // self.batch_size)
        return whole - (self.joins and self.rows > self.batch_size and self.rows % self.batch_size == 1)


FIRST, LAST, START, ROWS, AGAIN, BATCH, JOINS, SOURCE, LIMIT, TARGET, OUTPUT, WATCHED = range(
    len(Pass._fields)
)


class Schedule:
    """Passes that are played one behind the other.

    Parameters
    ----------
    passes : sequence of Pass

    Attributes
    ----------
    passes : tuple of Pass
    table : ndarray of int64, shape (passes, fields)
        As the executor reads them.
    steps : int
        Batches of all of them.
    """

    def __init__(self, passes):
        self.passes, self.steps = tuple(passes), sum(one.steps for one in passes)
        self.table = np.array(self.passes, np.int64)
