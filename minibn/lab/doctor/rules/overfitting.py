"""Training loss beside the loss of rows that were not trained on."""

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.evidence import larger_mean
from minibn.lab.doctor.registry import Fault, NotChecked, rule
from minibn.lab.doctor.rules.skew import drift


@rule("overfitting", "labels", "train labels", "predictions")
def overfitting(f):
    """Compare the loss of both parts in evaluation mode, so that noise of batches is in neither."""
    if drift(f):
        return NotChecked("the given rows have drifted from those of the training")
    train, given = f.with_running, f.given
    if given.loss < limit.LOSS_RATIO * train.loss or larger_mean(given.losses, train.losses) >= limit.LIKELY:
        return None
    if given.loss < train.loss + limit.LOSS_GAP and not _less_often_right(train, given):
        return None
    return Fault(
        f"loss {train.loss:.4f} on the training rows and {given.loss:.4f} on the others, both in evaluation mode; "
        f"accuracy {train.accuracy:.4f} and {given.accuracy:.4f}",
        "the network has learned its training rows by heart",
        "--early-stopping 5, --weight-decay 0.001, fewer units, or more rows",
    )


def _less_often_right(train, given):
    """Say whether accuracy falls off too, where losses are small: a network surer of its rows alone is no fault."""
    return (
        train.accuracy - given.accuracy >= limit.ACCURACY_GAP
        and larger_mean(train.right, given.right) < limit.LIKELY
    )
