"""Accuracy that says little because one class is most of the rows."""

from minibn.lab.doctor import thresholds as limit
from minibn.lab.doctor.evidence import upper_share
from minibn.lab.doctor.registry import Fault, Note, rule

REMEDY = "train with --class-weight balanced, or choose the threshold with --threshold-for recall=0.8; judge by recall and average precision"


@rule("no better than the majority", "labels", "predictions")
def majority(f):
    """Compare accuracy with that of always naming the most frequent class."""
    score, baseline, n = f.judged["accuracy"], f.judged["majority_baseline"], len(f.case.y)
    if baseline == 1 or (score - baseline) / (1 - baseline) > limit.SKILL or _informed(f) > limit.INFORMED:
        return None
    difference = round((score - baseline) * n)
    relation = "exactly the majority baseline" if difference == 0 else (
        f"{abs(difference)} rows {'above' if difference > 0 else 'below'} the majority baseline {baseline:.4f}"
    )  # fmt: skip
    return Fault(
        f"accuracy {score:.4f} is {relation}; {_worst(f)}",
        "the network has learned little more than which class is frequent",
        REMEDY,
    )


@rule("class not found", "labels", "predictions")
def class_not_found(f):
    """Find classes of low recall; with a rare class it is a fault, since accuracy hides it."""
    missed = [k for k, row in enumerate(f.judged["per_class"]) if row["support"] and _surely_low(row)]
    if not missed:
        return None
    rare = [k for k in missed if _share(f, k) < limit.RARE / f.model.out_features]
    kind, k = (Fault, rare[0]) if rare else (Note, missed[0])
    row = f.judged["per_class"][k]
    good = "is not good: " if rare and f.judged["accuracy"] > limit.RECALL else "comes with "
    return kind(
        f"accuracy {f.judged['accuracy']:.4f} {good}recall {row['recall']:.4f} of class {f.case.label(k)} "
        f"({row['support']} of {len(f.case.y)} rows); always the majority would have {f.judged['majority_baseline']:.4f}",
        "a rare class weighs little in the loss" if rare else "the network confuses this class with others",
        REMEDY if rare else "train longer or with more units; look at the confusion matrix",
    )


def _surely_low(row):
    found = round(row["recall"] * row["support"])
    return upper_share(found, row["support"]) < limit.RECALL


def _share(f, k):
    return f.judged["per_class"][k]["support"] / len(f.case.y)


def _informed(f):
    """Return balanced accuracy on a scale from guessing, 0, to 1: classes weighed alike may cost accuracy."""
    classes = sum(row["support"] > 0 for row in f.judged["per_class"])
    return (f.judged["balanced_accuracy"] - 1 / classes) / (1 - 1 / classes)


def _worst(f):
    k, row = min(
        ((k, row) for k, row in enumerate(f.judged["per_class"]) if row["support"]),
        key=lambda item: item[1]["recall"],
    )
    return f"recall of class {f.case.label(k)} is {row['recall']:.4f}"
