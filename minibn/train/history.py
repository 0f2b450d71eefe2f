"""What a training run reports: one frozen record per epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields


@dataclass(frozen=True)
class EpochRecord:
    """Figures of one epoch. Losses are means in nats, or squared units for a squared error.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss : float
        Running mean over the epoch's batches, in training mode, while the weights moved.
    train_accuracy : float or None
        Share of rows right in those same passes; None for a regression.
    train_loss_eval : float
        Loss of the whole training set after the epoch, in evaluation mode.
    val_loss, val_accuracy : float or None
        The same on the validation part; None without one.
    seconds : float
        Wall time of the epoch with its evaluations; compilation is not in it. Where ``fit`` plays several epochs in
        one call, that of the call divided by its epochs.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    train_loss_eval: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float = field(default=0.0, compare=False)

    def to_dict(self):
        """Return the fields as a dict."""
        return asdict(self)


@dataclass(frozen=True)
class History(Sequence):
    """The epochs of a run, in order.

    Attributes
    ----------
    records : tuple of EpochRecord
    best_epoch : int or None
        Epoch whose weights early stopping kept; None without early stopping.
    stopped_early : bool
    """

    records: tuple = ()
    best_epoch: int | None = None
    stopped_early: bool = False

    def __len__(self):
        return len(self.records)

    def __getitem__(self, index):
        return self.records[index]

    def column(self, name):
        """Return one figure of every epoch as a list, e.g. ``column("val_loss")``."""
        if name not in {f.name for f in fields(EpochRecord)}:
            raise KeyError(f"no figure {name!r}; known are {', '.join(f.name for f in fields(EpochRecord))}")
        return [getattr(record, name) for record in self.records]
