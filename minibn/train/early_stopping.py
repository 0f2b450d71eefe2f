"""Early stopping: when to stop, and which weights were best."""

import math

from minibn.functional import checks


class EarlyStopping:
    """Stop when the validation loss has not improved for a number of epochs; keep the best weights.

    Parameters
    ----------
    patience : int
        Epochs without improvement before the run stops.
    min_delta : float
        Least decrease of the validation loss that counts.
    """

    def __init__(self, patience=5, min_delta=0.0):
        self.patience = checks.whole("patience", patience, 1)
        self.min_delta = checks.number("min_delta", min_delta, 0.0)
        self.reset()

    def reset(self):
        """Forget the run so far."""
        self.best_loss, self.best_epoch, self.best_state, self.waited = math.inf, None, None, 0

    def observe(self, record, model):
        """Take in one epoch; keep the model's state when it is the best so far."""
        loss = record.val_loss if math.isfinite(record.val_loss) else math.inf
        if self.best_state is None or loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.waited = loss, record.epoch, 0
            self.best_state = model.state_dict()
        else:
            self.waited += 1

    @property
    def exhausted(self):
        """Whether patience has run out."""
        return self.waited >= self.patience
