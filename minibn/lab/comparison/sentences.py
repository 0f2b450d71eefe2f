"""What a comparison says, in sentences: each with its figure and interval."""

import numpy as np

from minibn.lab.comparison.pairs import ARMS, WITH, WITHOUT
from minibn.lab.comparison.tables import nats
from minibn.lab.statistics import CANNOT_TELL, HELPS, HURTS, MARGIN, NO_DIFFERENCE

RARE = 0.9  # majority baseline from which accuracy hardly shows a difference
_MEANING = {
    NO_DIFFERENCE: f"less than {MARGIN:g} point, in either direction, is no difference",
    HELPS: "the whole interval lies above 0",
    HURTS: "the whole interval lies below 0",
    CANNOT_TELL: "the interval holds 0 and more than a point; more seeds would narrow it",
}


def sentences(comparison):
    """Return what a comparison at equal learning rates says."""
    return [
        statement(comparison, "at equal learning rates"),
        *_reservations(comparison),
        *_divergence(comparison),
        *_losses(comparison),
        *_precision_and_recall(comparison),
        *_scatter(comparison),
    ]


def tuned_sentences(comparison, tuning):
    """Return what a comparison at each arm's own learning rate says."""
    rates = " and ".join(f"{rate:g} {arm}" for arm, rate in tuning.rates.items())
    return [statement(comparison, f"with tuned learning rates ({rates})"), *_divergence(comparison)]


def statement(comparison, where):
    """Return the difference in one sentence."""
    d = comparison.difference
    if d.low is None:
        return f"One pair {where}: {d.mean:+.2f} points with batch norm. One seed says nothing about the next; use --seeds."
    if not comparison.trained:
        return f"{where[0].upper()}{where[1:]}, every run of both arms diverged: {comparison.verdict}. Lower the learning rate."
    return (
        f"{where[0].upper()}{where[1:]}, batch norm changes the validation accuracy by {d.mean:+.2f} points "
        f"(95 % interval {d.low:+.2f} to {d.high:+.2f}, {d.n} seeds, better in {d.wins}): {comparison.verdict}, "
        f"as {_MEANING[comparison.verdict]}."
    )


def _scatter(comparison):
    """Yield a sentence on how far the accuracy scatters over seeds."""
    if comparison.spread is None:
        return
    with_bn, without = (100 * float(np.std(comparison.metric(arm, "accuracy"), ddof=1)) for arm in ARMS)
    ratio, low, high = comparison.spread
    yield (
        f"Over seeds the accuracy scatters by {with_bn:.2f} points {WITH} and {without:.2f} {WITHOUT}: {ratio:.2f} "
        f"times as much (95 % interval {low:.2f} to {high:.2f})."
    )


def _divergence(comparison):
    """Yield a sentence for each arm in which runs diverged."""
    for arm in ARMS:
        if count := comparison.diverged(arm):
            yield (
                f"{count} of {len(comparison.pairs)} runs {arm} diverged. They count as the majority baseline in "
                "every accuracy; losses of that arm are medians."
            )


def _reservations(comparison):
    """Yield what the verdict on accuracy leaves out."""
    if comparison.baseline >= RARE:
        yield (
            f"Always naming the largest class gets {100 * comparison.baseline:.1f} %: accuracy can hardly show a difference here. "
            "Read precision, recall and average precision."
        )


def _losses(comparison):
    """Yield a sentence on the training loss of the first and of the last epoch."""
    for epoch in sorted({1, comparison.epochs} - {0}):
        saved = comparison.loss_saved(epoch)
        if saved and saved.low is not None:
            yield (
                f"Training loss of epoch {epoch}: {nats(-saved.mean)} nats with batch norm (95 % interval "
                f"{nats(-saved.high)} to {nats(-saved.low)}), lower in {saved.wins} of {saved.n} seeds."
            )


def _precision_and_recall(comparison):
    """Yield one sentence on both."""
    found = {name: comparison.metric_difference(name) for name in ("precision", "recall")}
    if found["recall"].low is not None:
        parts = (
            f"{name} by {d.mean:+.2f} points ({d.low:+.2f} to {d.high:+.2f})" for name, d in found.items()
        )
        yield f"Batch norm changes {' and '.join(parts)}."
