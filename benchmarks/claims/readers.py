"""From the object that a command prints to the answer of one claim: a verdict on the claim, and figures with intervals.

A command's own verdict speaks of the command's question; a claim may ask for another of its figures, or for the opposite.
"""

import math
from statistics import median

YES, NO, CANNOT_TELL = "yes", "no", "cannot tell"


def _answer(found, margin=0.0):
    """Return what the interval of a difference says of "larger"."""
    if found["low"] > 0 and found["high"] > margin:
        return YES
    if found["high"] < 0 or (-margin < found["low"] and found["high"] < margin):
        return NO
    return CANNOT_TELL


def _points(found):
    return f"{found['mean']:+.1f} points ({found['low']:+.1f} to {found['high']:+.1f})"


def said(*phrases):
    """Return a reader of the command's own verdict, and of those of its sentences that hold a phrase."""

    def read(report):
        told = [line for line in report["statements"] if not phrases or any(p in line for p in phrases)]
        return report["verdict"], " ".join(told)

    return read


def opening(count):
    """Return a reader of the command's own verdict and of its first sentences."""
    return lambda report: (report["verdict"], " ".join(report["statements"][:count]))


def faster(report):
    """Read how much lower the loss of epoch 5 is, at equal and at tuned learning rates."""
    texts, answers = [], []
    for kind, part in (("equal rates", report), ("tuned rates", report["tuned"])):
        saved = next(row for row in part["loss_saved"] if row["epoch"] == 5)
        answers.append(f"{kind}: {_answer(saved)}")
        texts.append(
            f"{kind}: {-saved['mean']:+.3f} nats with batch norm ({-saved['high']:+.3f} to {-saved['low']:+.3f}), "
            f"lower in {saved['wins']} of {saved['n']} seeds"
        )
    return "; ".join(answers), f"Training loss of epoch 5. {'; '.join(texts)}."


def sooner(report):
    """Read the steps to 80 % accuracy in every setting."""
    texts = []
    for name, found in report["numbers"].items():
        with_bn, without = (_steps(found["steps_to_80"][f"{arm} batch norm"]) for arm in ("with", "without"))
        ratio = found["steps_to_80"]["log_ratio"]
        texts.append(
            f"{name}: {with_bn} against {without}, {math.exp(ratio['mean']):.0f} times "
            f"({math.exp(ratio['low']):.0f} to {math.exp(ratio['high']):.0f})"
        )
    return report["verdict"], f"Steps to 80 % accuracy, median of the seeds. {'; '.join(texts)}."


def _steps(reached):
    middle = median([math.inf if steps is None else steps for steps in reached])
    return "never" if math.isinf(middle) else f"{middle:g}"


def tuned_metrics(report):
    """Read accuracy, precision and recall at tuned learning rates."""
    tuned, names = report["tuned"], ("accuracy", "precision", "recall")
    texts = [f"{name} {_points(tuned['metrics'][name])}" for name in names]
    return tuned["verdict"], f"Rates tuned, {tuned['difference']['n']} seeds: {', '.join(texts)}."


def scatter(report):
    """Read how far the accuracy scatters over seeds at tuned learning rates."""
    spread = report["tuned"]["spread"]
    verdict = YES if spread["high"] < 1 else NO if spread["low"] > 1 else CANNOT_TELL
    return verdict, (
        f"Rates tuned: with batch norm the accuracy scatters {spread['ratio']:.2f} times as much over seeds "
        f"({spread['low']:.2f} to {spread['high']:.2f})."
    )


def relieved(report):
    """Read what batch norm spares of saturated units, early and late, and how much more even it makes gradients."""
    texts = []
    for name, found in report["numbers"]["courses"].items():
        even = found["log_evened_early"]
        texts.append(
            f"{name}: early {_points(found['spared_early'])}, late {_points(found['spared_late'])} fewer; gradients early "
            f"{math.exp(even['mean']):.3g} times as even ({math.exp(even['low']):.3g} to {math.exp(even['high']):.3g})"
        )
    return report["verdict"], f"Saturated units spared. {'; '.join(texts)}."


def growth(report):
    """Read whether gradients stay as they are: every layer's factor on the squared gradient."""
    rows = [row for row in report["numbers"]["growth"] if row["activation"] == "relu"]
    texts = [
        f"{row['measured']:.3f} ({row['low']:.3f} to {row['high']:.3f}) at batch {row['batch']}"
        for row in rows
    ]
    verdict = NO if all(row["low"] > 1 for row in rows) else CANNOT_TELL
    return (
        verdict,
        f"Each ReLU layer multiplies the squared gradient by {', '.join(texts)}; without batch norm by 1.",
    )


def shift(report):
    """Read the internal covariate shift of every network: without batch norm over with it."""
    nets = report["numbers"]["nets"]
    texts = [f"{net['net']}: {_ratio(net['ratios']['shift'])}" for net in nets]
    highs = [net["ratios"]["shift"][2] for net in nets]
    lows = [net["ratios"]["shift"][1] for net in nets]
    verdict = NO if max(highs) < 1 else YES if min(lows) > 1 else "in part"
    return verdict, f"Covariate shift without batch norm over that with it. {'; '.join(texts)}."


def _ratio(found):
    return f"{found[0]:.2f} ({found[1]:.2f} to {found[2]:.2f})"


def error_saved(report):
    """Read how many points of error batch norm saves at each batch size."""
    sizes = {
        name if name.startswith("full") else f"batch {name}": found
        for name, found in report["numbers"].items()
        if name != "answers"
    }
    texts = [f"{name}: {_points(found['reduction'])}" for name, found in sizes.items()]
    ghosts = [
        f"{name}: {_points(f['ghost_reduction'])}" for name, f in sizes.items() if f.get("ghost_reduction")
    ]
    return report[
        "verdict"
    ], f"Error saved. {'; '.join(texts)}. By ghost batches on top. {'; '.join(ghosts)}."


def rare(report):
    """Read average precision and recall, which accuracy hides on rare classes."""
    found = report["metrics"]
    texts = [
        f"{name.replace('_', ' ')} {_points(found[name])}"
        for name in ("average_precision", "recall", "accuracy")
    ]
    return _answer(found["average_precision"], 1.0), f"{', '.join(texts)}; {report['difference']['n']} seeds."


def diagnosed(report):
    """Read what the doctor found."""
    faults = [f"{fault['name']}: {fault['figure']}" for fault in report["faults"]]
    return ("healthy" if report["healthy"] else "faults found"), ". ".join(faults) or "No fault."
