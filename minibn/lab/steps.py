"""Training for a number of steps instead of epochs, with looks in between."""

import numpy as np

from minibn.nn import SoftmaxCrossEntropy
from minibn.train.engines import engine as engine_of
from minibn.train.part import Part


class StepTrainer:
    """Trains a network step by step on a stream of shuffled epochs.

    Batches are cut from the stream without regard to the ends of epochs, so every one is full.

    Parameters
    ----------
    model : Sequential
        Trained in place.
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)
    optimizer : SGD or Adam
    batch_size : int
        At most N.
    seed : int
        Fixes the order of rows.
    loss : loss object, optional
        Softmax cross-entropy where None.
    engine : str
        ``"eager"`` for networks with layers that have no instruction, as those of the lab.

    Attributes
    ----------
    losses : list of float
        Loss of each batch before its update, in training mode.
    diverged : bool
        Whether a loss was not finite; training then goes no further.
    """

    def __init__(self, model, x, y, *, optimizer, batch_size, seed, loss=None, engine="program"):
        optimizer.reset()
        self.model, self.part, self.seed, self.batch_size = model, Part(x, y), seed, batch_size
        self._engine = engine_of(engine, model, loss or SoftmaxCrossEntropy(), optimizer, batch_size)
        self._stream, self._epoch = np.empty(0, np.int64), 0
        self.losses, self.diverged = [], False

    def advance(self, steps, learning_rates=None):
        """Train for some steps, or until a loss is not finite, and return all losses so far.

        Parameters
        ----------
        steps : int
        learning_rates : ndarray of float64, shape (steps,), optional
            One rate for every step, in place of the optimizer's.

        Returns
        -------
        list of float
        """
        if self.diverged or steps < 1:
            return self.losses
        result = self._engine.run_epoch(self.part, self._take(steps * self.batch_size), learning_rates)
        self.losses += [float(loss) for loss in result.losses]
        self.diverged = result.failed_step is not None
        return self.losses

    def _take(self, rows):
        """Return the next rows of the stream, each epoch in an order of its own."""
        chunks, have = [self._stream], len(self._stream)
        while have < rows:
            self._epoch += 1
            chunks.append(self.part.order(self.seed, self._epoch))
            have += len(self.part)
        stream = np.concatenate(chunks)
        self._stream = stream[rows:]
        return stream[:rows]

    def accuracy(self, x, y):
        """Return the share of rows right in evaluation mode."""
        return float(np.mean(self.model.predict(x) == y))
