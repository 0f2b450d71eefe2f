"""The two ways to play an epoch: the compiled program, and step by step on the tape."""

import warnings

import numpy as np

from minibn.errors import ArgumentError, ProgramError
from minibn.nn.sequential import EVALUATION_BLOCK
from minibn.program import EpochResult, capture
from minibn.train.batches import batch_bounds
from minibn.train.step import rehearse, step


class EagerEngine:
    """Plays every step on the tape, through :func:`minibn.train.step`."""

    name = "eager"

    def __init__(self, model, loss, optimizer, batch_size):
        self.model, self.loss, self.optimizer, self.batch_size = model, loss, optimizer, batch_size

    def warm(self, x, y):
        """Compile what an epoch needs, without training."""
        rehearse(self.model, self.loss, self.optimizer, x[:2], y[:2])

    def run_epoch(self, x, y, order):
        """Train on one epoch; arguments and result as :meth:`minibn.program.Program.run_epoch`."""
        results = []
        for low, high in batch_bounds(len(order), self.batch_size):
            rows = order[low:high]
            results.append(step(self.model, self.loss, self.optimizer, x[rows], y[rows]))
            if not results[-1].finite:
                break
        correct = None if results[0].correct is None else np.array([r.correct for r in results])
        failed = None if results[-1].finite else len(results) - 1
        return EpochResult(
            np.array([r.loss for r in results]),
            np.array([r.weight for r in results]),
            correct,
            failed,
            len(order),
        )

    def evaluate(self, x, y):
        """Evaluate block by block; see :meth:`minibn.program.Program.evaluate`."""
        blocks = [slice(i, i + EVALUATION_BLOCK) for i in range(0, len(x), EVALUATION_BLOCK)]
        outputs = [self.model.logits(x[rows]) for rows in blocks]
        correct = [self.loss.correct(output, y[rows]) for output, rows in zip(outputs, blocks, strict=True)]
        return EpochResult(
            np.array(
                [self.loss(output, y[rows]).item() for output, rows in zip(outputs, blocks, strict=True)]
            ),
            np.array([self.loss.weight(y[rows]) for rows in blocks]),
            None if correct[0] is None else np.array(correct),
            None,
            len(x),
        )


class ProgramEngine:
    """Plays whole epochs inside one compiled call."""

    name = "program"

    def __init__(self, model, loss, optimizer, batch_size):
        # One more row than a batch: a last batch of a single row joins the one before it.
        self.program, self.batch_size = capture(model, loss, optimizer, batch_size + 1), batch_size
        self.evaluate = self.program.evaluate

    def warm(self, x, y):
        """Compile what an epoch needs, without training."""
        self.program.warm(x, y)

    def run_epoch(self, x, y, order):
        """Train on one epoch; see :meth:`minibn.program.Program.run_epoch`."""
        return self.program.run_epoch(x, y, order, self.batch_size)


def engine(name, model, loss, optimizer, batch_size):
    """Return the engine of a name.

    ``"program"`` falls back to the eager engine, with a warning, where an operation has no instruction.

    Raises
    ------
    ArgumentError
    """
    if name not in ("program", "eager"):
        raise ArgumentError(f"engine must be 'program' or 'eager', got {name!r}; 'program' is the faster")
    if name == "program":
        try:
            return ProgramEngine(model, loss, optimizer, batch_size)
        except ProgramError as error:
            warnings.warn(f"training step by step: {error}", RuntimeWarning, stacklevel=4)
    return EagerEngine(model, loss, optimizer, batch_size)
