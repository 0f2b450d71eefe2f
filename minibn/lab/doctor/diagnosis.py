"""What the doctor found."""

import warnings
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from minibn.lab.doctor.page import make_report


@dataclass(frozen=True)
class Finding:
    """A fault, or something worth knowing.

    Attributes
    ----------
    name : str
        Of the rule.
    figure : str
        What was measured, in a sentence with its numbers.
    cause, remedy : str
    """

    name: str
    figure: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Unchecked:
    """A rule that could not be read.

    Attributes
    ----------
    name, why : str
    """

    name: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """Faults, notes, and what was not checked.

    Attributes
    ----------
    faults, notes : tuple of Finding
    not_checked : tuple of Unchecked
    checked : tuple of str
        Names of the rules that were read.
    figures : Figures
        What was measured.
    """

    faults: tuple
    notes: tuple
    not_checked: tuple
    checked: tuple
    figures: Any = field(compare=False, repr=False)

    @property
    def healthy(self):
        """Whether no rule found a fault."""
        return not self.faults

    @cached_property
    def report(self):
        """The same as a :class:`minibn.lab.Report`, with tables and charts."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return make_report(self.figures, self.faults, self.notes, self.not_checked)

    def to_dict(self):
        """Return ``healthy``, ``faults``, ``notes`` and ``not_checked``, JSON-able."""
        lists = {
            name: [asdict(item) for item in getattr(self, name)]
            for name in ("faults", "notes", "not_checked")
        }
        return {"healthy": self.healthy, **lists}
