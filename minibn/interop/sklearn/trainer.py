"""Plays epochs of an estimator's network: order of rows, batches, and several epochs in one compiled call."""

import numpy as np

MOST_ROWS = 1 << 20  # of one compiled call, which bounds the memory of its order and its answer to Ctrl-C
_SHUFFLED_HERE = 1 << 14  # rows from which taking a generator's state out and back costs less than it saves


class Trainer:
    """The compiled program of one network, which plays its epochs.

    Parameters
    ----------
    model : minibn.nn.Sequential
    loss, optimizer : objects of minibn.nn and minibn.train
    batch_size : int
        The largest that will be asked for.
    weighted : bool
        Whether rows have weights.
    """

    def __init__(self, model, loss, optimizer, batch_size, weighted):
        from minibn.train.engines import ProgramEngine

        self.engine = ProgramEngine(model, loss, optimizer, batch_size, weighted)
        self.capacity, self.weighted = batch_size, weighted

    def fits(self, batch_size, weighted):
        """Return whether it can train on such batches."""
        return batch_size <= self.capacity and weighted == self.weighted

    def play(self, rows, order, batch_size, epochs):
        """Train on some epochs whose orders stand one behind the other.

        Parameters
        ----------
        rows : Rows
        order : ndarray of int64, shape (epochs * N,)
        batch_size : int
        epochs : int

        Returns
        -------
        list of float
            Mean loss of each epoch; the last one is NaN where training met a loss that was not finite.
        """
        from minibn.train.batches import batch_bounds

        self.engine.batch_size = batch_size
        result = self.engine.run_epoch(_part(rows), order, epochs=epochs)
        losses = _mean_losses(result, len(batch_bounds(len(order) // epochs, batch_size)))
        return losses if result.failed_step is None else [*losses, float("nan")]

    def evaluate(self, rows):
        """Return the mean loss of some rows in evaluation mode."""
        return self.engine.evaluate(_part(rows)).mean_loss


def _mean_losses(result, steps):
    """Return the mean loss of every whole epoch of so many steps."""
    whole = len(result.losses) // steps
    losses, shares = (part[: whole * steps].reshape(whole, steps) for part in (result.losses, result.weights))
    return ((losses * shares).sum(axis=1) / shares.sum(axis=1)).tolist()


def _part(rows):
    from minibn.train.part import Part

    return Part(rows.x, rows.y, None, rows.weight)


class Order:
    """The order of rows, epoch after epoch, as scikit-learn draws it from one ``random_state``.

    Parameters
    ----------
    rows : int
    shuffle : bool
    rng : numpy.random.RandomState
    """

    def __init__(self, rows, shuffle, rng):
        self._rows, self._rng = np.arange(rows), rng if shuffle else None

    def take(self, epochs):
        """Return the orders of the next epochs, one behind the other: ndarray of int64, shape (epochs * rows,)."""
        orders = np.empty((epochs, len(self._rows)), np.int64)
        if (
            self._rng is not None
            and orders.size >= _SHUFFLED_HERE
            and _shuffle(self._rng, self._rows, orders)
        ):
            return orders.reshape(-1)
        for order in orders:
            if self._rng is not None:
                self._rng.shuffle(self._rows)
            order[:] = self._rows
        return orders.reshape(-1)


def _shuffle(rng, rows, orders):
    """Write the orders that ``rng.shuffle(rows)`` would give, and return whether that is possible."""
    state = rng.get_state(legacy=False)
    if state["bit_generator"] != "MT19937" or len(rows) >= 1 << 32:
        return False
    from minibn.kernels.cpu.shuffle import shuffle_repeatedly

    twister = state["state"]
    twister["pos"] = shuffle_repeatedly(twister["key"], twister["pos"], rows, orders)
    rng.set_state(state)
    return True


def epochs_at_once(rows, surely, left):
    """Return how many epochs one compiled call may play.

    Parameters
    ----------
    rows : int
    surely : float
        Epochs until training may stop at the earliest.
    left : int
        Epochs until it must.

    Returns
    -------
    int
    """
    return int(max(1, min(surely, left, MOST_ROWS // rows)))
