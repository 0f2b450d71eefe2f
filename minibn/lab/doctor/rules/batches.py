"""What a prediction or a training owes to the rows beside it."""

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.registry import Fault, Note, rule


@rule("batches too small", "batch norm", "batch size")
def batches_too_small(f):
    """Noise of a batch mean: for rows drawn at random, 1 / sqrt(batch size) standard deviations."""
    size = f.case.batch_size
    noise = size**-0.5
    if noise < limit.SMALL_NOISE:
        return None
    kind = Fault if noise >= limit.TINY_NOISE else Note
    return kind(
        f"the mean of a batch of {size} is off by {noise:.2f} standard deviations, 1 / sqrt({size}){_measured(f)}",
        "so few rows say little about mean and variance: the network is trained on noise that is gone in evaluation",
        "--batch-size 16 or more",
    )


def _measured(f):
    noise = f.batch_mean_noise
    before = "" if noise is None else f"; measured before {f.norms[0].layer}: {noise:.2f}"
    if f.y is None or not f.finite_weights or not f.with_running.finite:
        return before
    own, running = f.shuffled.accuracy, f.with_running.accuracy
    return f"{before}; accuracy {own:.4f} with the statistics of such batches and {running:.4f} with running ones"


@rule("predictions depend on the batch", "batch norm", "data", "finite weights")
def order(f):
    """Send the same rows shuffled and sorted by class through the network as it was handed over."""
    if len(f.given_x) < 2:
        return None
    share = float(f.handed_over.mean())
    if share < limit.ORDER:
        return None
    return Fault(
        f"{share:.1%} of the predictions change when the same rows come sorted by class instead of shuffled",
        "rows are normalised by the statistics of the batch they come in",
        "evaluate with running statistics: model.eval(), or model(x, training=False)",
    )
