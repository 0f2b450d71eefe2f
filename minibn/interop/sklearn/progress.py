"""When training stops, told from the losses or the validation scores of its epochs, as scikit-learn tells it."""

import math


class Progress:
    """Counts epochs without improvement.

    Parameters
    ----------
    tol : float
        Least improvement that counts.
    patience : float
        ``n_iter_no_change``; training stops when more epochs than these have brought no improvement.
    best : float
        Lowest figure so far.
    count : int
        Epochs without improvement so far.
    """

    def __init__(self, tol, patience, best=math.inf, count=0):
        self.tol, self.patience, self.best, self.count = tol, patience, best, count

    def observe(self, figure):
        """Take in the figure of an epoch, lower being better, and return whether it is the best so far."""
        self.count = self.count + 1 if figure > self.best - self.tol else 0
        better = figure < self.best
        self.best = figure if better else self.best
        return better

    @property
    def exhausted(self):
        """Whether training should stop."""
        return self.count > self.patience

    @property
    def surely(self):
        """Epochs until training may stop at the earliest."""
        return self.patience + 1 - self.count
