"""Accuracy that says little because one class is most of the rows."""

from dataclasses import replace

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.evidence import upper_share
from minibn.lab.doctor.registry import Fault, Note, rule

REMEDY = "train with --class-weight balanced, or choose the threshold with --threshold-for recall=0.8; judge by recall and average precision"


@rule("no better than the majority", "labels", "predictions")
def majority(f):
    """Compare accuracy with that of always naming the most frequent class."""
    return _at_both_decisions(f, _majority)


def _majority(f, judged):
    score, baseline, n = judged["accuracy"], judged["majority_baseline"], len(f.case.y)
    if (
        baseline == 1
        or (score - baseline) / (1 - baseline) > limit.SKILL
        or _informed(judged) > limit.INFORMED
    ):
        return None
    difference = round((score - baseline) * n)
    relation = "exactly the majority baseline" if difference == 0 else (
        f"{abs(difference)} rows {'above' if difference > 0 else 'below'} the majority baseline {baseline:.4f}"
    )  # fmt: skip
    return Fault(
        f"accuracy {score:.4f} is {relation}; {_worst(f, judged)}",
        "the network has learned little more than which class is frequent",
        REMEDY,
    )


@rule("class not found", "labels", "predictions")
def class_not_found(f):
    """Find classes of low recall; with a rare class it is a fault, since accuracy hides it."""
    return _at_both_decisions(f, _class_not_found)


def _class_not_found(f, judged):
    missed = [k for k, row in enumerate(judged["per_class"]) if row["support"] and _surely_low(row)]
    if not missed:
        return None
    rare = [k for k in missed if _share(f, k) < limit.RARE / f.model.out_features]
    kind, k = (Fault, rare[0]) if rare else (Note, missed[0])
    row = judged["per_class"][k]
    good = "is not good: " if rare and judged["accuracy"] > limit.RECALL else "comes with "
    return kind(
        f"accuracy {judged['accuracy']:.4f} {good}recall {row['recall']:.4f} of class {f.case.label(k)} "
        f"({row['support']} of {len(f.case.y)} rows); always the majority would have {judged['majority_baseline']:.4f}",
        "a rare class weighs little in the loss" if rare else "the network confuses this class with others",
        REMEDY if rare else "train longer or with more units; look at the confusion matrix",
    )


def _at_both_decisions(f, read):
    """Read a rule where the more probable class counts, and at the threshold that the network is used with.

    What is wrong only at the threshold is the threshold's doing; what it mends is no more than a note.
    """
    by_default = read(f, f.judged)
    if f.at_threshold is None:
        return by_default
    used, at = read(f, f.at_threshold), f"at the threshold {f.case.threshold:.4g}"
    if used is None:
        return by_default and Note(
            f"where the more probable class counts, {by_default.figure}; not so {at}",
            by_default.cause,
            "keep the threshold; --class-weight balanced mends the training itself",
        )
    if by_default is not None and by_default.cause == used.cause:
        both = f"{at}, {used.figure}; where the more probable class counts, {by_default.figure}"
        return replace(used, figure=both)
    return replace(
        used,
        figure=f"{at}, {used.figure}; where the more probable class counts, {_headline(f.judged)}",
        cause="the threshold, not the training: it gives up one class for the other",
        remedy="another goal for --threshold-for, such as f1; evaluate and predict leave it aside with --threshold 0.5",
    )


def _headline(judged):
    recalls = " and ".join(f"{row['recall']:.4f}" for row in judged["per_class"])
    return f"accuracy is {judged['accuracy']:.4f}, and recall of the classes {recalls}"


def _surely_low(row):
    found = round(row["recall"] * row["support"])
    return upper_share(found, row["support"]) < limit.RECALL


def _share(f, k):
    return f.judged["per_class"][k]["support"] / len(f.case.y)


def _informed(judged):
    """Return balanced accuracy on a scale from guessing, 0, to 1: classes weighed alike may cost accuracy."""
    classes = sum(row["support"] > 0 for row in judged["per_class"])
    return (judged["balanced_accuracy"] - 1 / classes) / (1 - 1 / classes)


def _worst(f, judged):
    k, row = min(
        ((k, row) for k, row in enumerate(judged["per_class"]) if row["support"]),
        key=lambda item: item[1]["recall"],
    )
    return f"recall of class {f.case.label(k)} is {row['recall']:.4f}"
