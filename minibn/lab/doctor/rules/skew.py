"""Running statistics that do not describe the training rows, with the cause told apart."""

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.evidence import flips
from minibn.lab.doctor.registry import Fault, Note, rule

RECALIBRATE = "minibn recalibrate CHECKPOINT, or minibn.train.recalibrate(model, x_train)"


@rule("poisoned statistics", "batch norm")
def poisoned(f):
    """Find running statistics that are not numbers, and variances below 0."""
    bad = [(norm.layer, len(norm.bad_channels), len(norm.mean)) for norm in f.norms if len(norm.bad_channels)]
    if not bad:
        return None
    places = ", ".join(f"{layer}: {count} of {total} features" for layer, count, total in bad)
    return Fault(
        f"running statistics that are not finite or have a negative variance ({places})",
        "a batch with NaN or infinite values entered the running statistics, and a moving average never forgets it",
        f"correct those values in the data, then {RECALIBRATE}",
    )


@rule("batches left out", "batch norm")
def skipped(f):
    """Count batches whose statistics were not finite."""
    found = [norm for norm in f.norms if norm.skipped]
    if not found:
        return None
    return Note(
        f"{max(norm.skipped for norm in found)} batches left the running statistics of {found[0].layer} as they were",
        "values before the batch norm were not finite: missing data, or a training that was about to diverge",
        "look for missing and infinite values in the data; lower the learning rate",
    )


def _remembers_its_start(f):
    """Return the layer whose statistics are most of all still their start, None where that does no harm."""
    norm = max(f.norms, key=lambda norm: norm.start_weight)
    harmless = norm.error is not None and norm.error < limit.NEGLIGIBLE + _sampling(f)
    return None if norm.start_weight < limit.START_WEIGHT or harmless else norm


def _sampling(f):
    """Return twice the error that statistics of the training rows show on as many other rows as there are."""
    return 0.0 if f.case.x_train is not None else 2 * (1.5 / len(f.x)) ** 0.5


def _start_figure(f, norm):
    return (
        f"{norm.start_weight:.0%} of the running statistics of {norm.layer} is still their start, mean 0 and "
        f"variance 1: (1 - {norm.momentum or 0:g}) to the power of {norm.tracked} batches{_harm(f)}"
    )


def _harm(f):
    """Return what the wrong statistics do, as far as it can be measured."""
    if f.error is None:
        return ""
    text = f"; normalised values are off by {f.error:.2f} standard deviations"
    if f.y is None or not f.with_running.finite:
        return text
    return f"{text}, accuracy {f.with_running.accuracy:.4f} with running and {f.with_exact.accuracy:.4f} with exact statistics on the {f.where}"


@rule("momentum too slow", "batch norm")
def momentum_too_slow(f):
    """Find a momentum so small that the training was over before the statistics had arrived."""
    norm = _remembers_its_start(f)
    if norm is None or norm.momentum is None or norm.momentum >= limit.SLOW_MOMENTUM:
        return None
    return Fault(
        _start_figure(f, norm),
        f"momentum {norm.momentum:g} is too slow for {norm.tracked} batches: it needs about "
        f"{3 / norm.momentum if norm.momentum else float('inf'):.0f}",
        f"{RECALIBRATE}; for the next training --bn-momentum 0.1",
    )


@rule("too few steps", "batch norm")
def too_few_steps(f):
    """Find statistics of a handful of batches."""
    norm = _remembers_its_start(f)
    if norm is None or (norm.momentum is not None and norm.momentum < limit.SLOW_MOMENTUM):
        return None
    return Fault(
        _start_figure(f, norm),
        f"the running statistics have seen {norm.tracked} batches only",
        f"{RECALIBRATE}, or train longer",
    )


@rule("one-class batches", "batch norm", "any labels", "finite weights", "exact statistics")
def one_class_batches(f):
    """Find running statistics that are those of batches of one class each."""
    norm = f.norms[0]
    if norm.error is None or norm.error < limit.POLLUTED or _remembers_its_start(f):
        return None
    if f.mixture.polluted < limit.MIXTURE or f.mixture.residual > limit.UNEXPLAINED:
        return None
    k = int(f.mixture.weights.argmax())
    return Fault(
        f"{f.mixture.polluted:.0%} of the running statistics of {norm.layer} are those of batches of one class, "
        f"{f.mixture.weights[k]:.0%} of class {f.case.label(k)} alone{_harm(f)}",
        "batches of one class, or a few, entered the running statistics: rows sorted by class",
        f"shuffle the rows of every epoch; {RECALIBRATE}",
    )


@rule("training mode", "batch norm")
def training_mode(f):
    """Find a model in training mode, and statistics that moved after the training."""
    reason = _mode(f) or _moved_by_predict(f) or _tracked_too_many(f)
    return reason and Fault(
        reason,
        "evaluated in training mode: every prediction depends on the rows beside it, and every batch that is "
        "evaluated moves the running statistics",
        f"model.eval() before evaluating, or model(x, training=False); where statistics have moved, {RECALIBRATE}",
    )


def _mode(f):
    if f.case.failed:  # a training that broke off leaves the mode as it was
        return None
    layers = [name for name, layer in f.case.norms if layer.training]
    return f"{', '.join(layers)} handed over in training mode" if layers else None


def _moved_by_predict(f):
    if f.case.predict is None or f.case.x is None or not f.moved_by_predict:
        return None
    return f"predict(model, x) moved the running statistics of layer {', '.join(f.moved_by_predict)}"


def _tracked_too_many(f):
    case = f.case
    if case.history is None or case.x_train is None or not case.batch_size:
        return None
    epochs = len(case.history) + bool(case.failed)
    most, tracked = epochs * f.steps_per_epoch, max(norm.tracked for norm in f.norms)
    if tracked <= most:
        return None
    return f"{tracked} batches entered the running statistics, {most} were those of the training"


@rule("stale statistics", "batch norm", "any rows", "two rows", "finite weights", "exact statistics")
def stale_statistics(f):
    """Find running statistics that are wrong for a reason that no other rule names."""
    if f.error is None or any(named(f) for named in (momentum_too_slow, too_few_steps, training_mode)):
        return None
    if (f.y is not None and one_class_batches(f)) or not _wrong(f):
        return None
    return Fault(
        f"running statistics do not describe the {f.where}{_harm(f)}",
        "the weights moved faster than the running statistics could follow, or the statistics come from other rows",
        f"{RECALIBRATE}; lower the learning rate at the end of the training",
    )


def _wrong(f):
    if f.error >= limit.SKEW + _sampling(f):
        return True
    if f.y is None or not f.with_running.finite:
        return False
    gap = f.with_exact.accuracy - f.with_running.accuracy
    return gap >= limit.GAP and flips(f.with_running.right, f.with_exact.right) < limit.SURE


@rule("drift", "train", "data")
def drift(f):
    """Compare the features of the rows to judge with those of the training."""
    if len(f.case.x) < 2 or f.drift.p > 1 / 200 or f.drift.size < limit.DRIFT:
        return None
    return Fault(
        f"features of the given rows are off by {f.drift.size:.2f} standard deviations (root mean square), feature "
        f"{f.drift.worst} by {f.drift.worst_size:.2f}",
        "the given rows come from elsewhere, were scaled otherwise, or the world has moved on",
        "check units and scaling; train on rows like these, or minibn recalibrate CHECKPOINT --data with unlabelled ones",
    )
