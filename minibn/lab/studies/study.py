"""What a study is: a question of the literature, and the function that answers it on given data."""

from collections.abc import Callable
from dataclasses import dataclass, field

from minibn.errors import ArgumentError


def _silent(message):
    """Say nothing."""


@dataclass(frozen=True)
class Setup:
    """What a study is run on.

    Attributes
    ----------
    data : str
        A bundled name or a path, as in :class:`minibn.train.Settings`.
    target : str or None
        Target column of a file that has several.
    seeds : tuple of int
        One run of the study for each; empty for ``count`` seeds from ``first_seed`` on.
    first_seed : int
    count : int or None
        None for the study's own number.
    quick : bool
        Fewer seeds and steps, to see it work; the answer is then weaker, and the report says so.
    progress : callable
        Called with a line of text now and then.
    """

    data: str = "digits"
    target: str | None = None
    seeds: tuple = ()
    first_seed: int = 0
    count: int | None = None
    quick: bool = False
    progress: Callable = _silent

    def seeds_or(self, usual, quick):
        """Return the seeds asked for, or as many as are usual (``quick`` ones in a quick run)."""
        count = self.count or (quick if self.quick else usual)
        return self.seeds or tuple(range(self.first_seed, self.first_seed + count))


@dataclass(frozen=True)
class Study:
    """A question of the literature.

    Attributes
    ----------
    name, question : str
    source : str
        Paper and section.
    statement : str
        What teaching texts say about it.
    seconds : float
        Cost on digits, on one core of a usual machine.
    needs_data : bool
        Whether it trains on a data set; theory needs none.
    answer : callable
        Takes a Setup, returns a Report.
    """

    name: str
    question: str
    source: str
    statement: str
    seconds: float
    needs_data: bool = field(default=True, kw_only=True)
    answer: Callable = field(kw_only=True)


STUDIES: dict[str, Study] = {}


def study(name, *, question, source, statement, seconds, needs_data=True):
    """Register the decorated function as the study of that name."""

    def register(answer):
        STUDIES[name] = Study(
            name, question, source, statement, seconds, needs_data=needs_data, answer=answer
        )
        return answer

    return register


def find(name):
    """Return the study of a name.

    Raises
    ------
    ArgumentError
        When there is none.
    """
    if name not in STUDIES:
        raise ArgumentError(f"there is no study {name!r}; known are {', '.join(sorted(STUDIES))}")
    return STUDIES[name]
