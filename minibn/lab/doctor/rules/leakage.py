"""Ways for the rows to judge to reach the training, or the score."""

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.evidence import flips
from minibn.lab.doctor.registry import Fault, Note, rule


@rule("duplicates across the split", "train", "data")
def duplicates(f):
    """Count rows to judge that stand among the training rows."""
    count, n = int(f.seen_before.sum()), len(f.seen_before)
    if not count:
        return None
    kind = Fault if count / n >= limit.DUPLICATES else Note
    return kind(
        f"{count} of {n} rows ({count / n:.1%}) stand in the training rows too{_flattery(f)}",
        "the same rows on both sides of the split: the network is judged on what it has seen",
        "--drop-duplicates drops repeated rows before the split; keep rows of one origin on one side",
    )


def _flattery(f):
    if f.case.y is None or f.seen_before.all() or not f.finite_logits:
        return ""
    right = f.model.predict(f.case.x) == f.case.y
    seen, new = right[f.seen_before].mean(), right[~f.seen_before].mean()
    return f"; accuracy {seen:.4f} on them and {new:.4f} on the others"


@rule("scaler fitted on all rows", "train", "data")
def scaler(f):
    """Find features that are standardised over all rows together, and not over the training rows."""
    train, both = f.standardised
    if not (both < limit.STANDARDISED * train and both < limit.STANDARDISED):
        return None
    return Fault(
        f"over all rows together features have mean 0 and deviation 1 to {both:.1e}, over the training rows to "
        f"{train:.1e} only",
        "mean and deviation were taken from training and validation rows together",
        "fit the scaler on the training rows: Scaler.fit(x[train]); minibn train does",
    )


@rule("score moves with the statistics of its rows", "batch norm", "labels", "finite weights", "predictions")
def own_statistics(f):
    """Compare accuracy on the rows to judge with running statistics and with their own."""
    if f.given_own is None or not f.given_own.finite:
        return None
    own, running = f.given_own.accuracy, f.given.accuracy
    if abs(own - running) < limit.GAP or flips(f.given.right, f.given_own.right) >= limit.SURE:
        return None
    return Fault(
        f"accuracy {running:.4f} with running statistics, {own:.4f} when the rows are normalised by their own",
        "the rows judged differ from what the running statistics describe; a score taken with their own statistics "
        "hides that, and tells nothing of single rows",
        "judge with running statistics only; then look for drift, or minibn recalibrate CHECKPOINT",
    )
