"""Rules, what they need, and what they can say."""

from collections.abc import Callable
from dataclasses import dataclass

RULES: list["Rule"] = []


@dataclass(frozen=True)
class Fault:
    """Something is wrong.

    Attributes
    ----------
    figure : str
        What was measured, in a sentence with its numbers.
    cause, remedy : str
    """

    figure: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Note:
    """Worth knowing, not wrong; fields as of :class:`Fault`."""

    figure: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class NotChecked:
    """A rule could not be read.

    Attributes
    ----------
    why : str
    """

    why: str


@dataclass(frozen=True)
class Rule:
    """One question to the figures.

    Attributes
    ----------
    name : str
        Of the finding, in words.
    needs : tuple of str
        Keys of :data:`NEEDS`: without them the rule is not checked.
    read : callable
        From Figures to a Fault, a Note, a NotChecked, or None where all is well.
    """

    name: str
    needs: tuple
    read: Callable

    def __call__(self, figures):
        """Read the figures; NotChecked where something that the rule needs is missing."""
        for need in self.needs:
            present, why = NEEDS[need]
            if not present(figures):
                return NotChecked(why)
        return self.read(figures)


def rule(name, *needs):
    """Register a function from figures to a finding as a rule."""

    def register(read):
        RULES.append(Rule(name, needs, read))
        return read

    return register


NEEDS = {
    "batch norm": (lambda f: f.norms, "the network has no batch norm that is not frozen"),
    "data": (lambda f: f.case.x is not None, "no rows to judge were given"),
    "labels": (lambda f: f.case.y is not None, "no labelled rows to judge were given"),
    "train": (lambda f: f.case.x_train is not None, "the training rows were not given"),
    "train labels": (
        lambda f: f.case.y_train is not None,
        "the training rows were not given with their labels",
    ),
    "any labels": (lambda f: f.y is not None, "no labelled rows were given"),
    "any rows": (lambda f: f.x is not None, "no rows were given"),
    "history": (lambda f: f.case.history is not None, "no history of the training was given"),
    "batch size": (lambda f: f.case.batch_size, "the batch size of the training is not known"),
    "two rows": (lambda f: f.x is None or len(f.x) > 1, "one row has no statistics"),
    "finite weights": (lambda f: f.finite_weights, "weights are not finite"),
    "exact statistics": (lambda f: f.exact is not None, "what reaches a batch norm is not finite"),
    "predictions": (lambda f: f.finite_logits, "the network's outputs are not finite"),
}
"""What a rule may need: a test of the figures, and what to say without it."""
