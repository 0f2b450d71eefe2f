"""What a run of a suite was asked for."""

import importlib.util
import json
from dataclasses import asdict, dataclass

from benchmarks.against import MODULES
from minibn.cores import usable_cores


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process measures.

    Attributes
    ----------
    peers : tuple of str
        Peers to measure against; all of them are installed.
    threads : int
        Threads of every subject.
    quick : bool
        Fewer shapes and rounds.
    """

    peers: tuple
    threads: int
    quick: bool

    def dump(self):
        """Return the settings as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text):
        """Return the settings that :meth:`dump` wrote."""
        values = json.loads(text)
        return cls(**values | {"peers": tuple(values["peers"])})


def parse_peers(text):
    """Return the peers of a list such as ``"numpy,torch"``, each once; ValueError for one that is unknown."""
    names = list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    unknown = [name for name in names if name not in MODULES]
    if unknown or not names:
        raise ValueError(f"expected peers among {', '.join(MODULES)}, got {', '.join(unknown) or 'none'}")
    return names


def parse_threads(text):
    """Return the counts of a list such as ``"1,2"``, each once; ValueError for what is not a count of usable cores."""
    counts, cores = [part.strip() for part in text.split(",")], usable_cores()
    wrong = [part for part in counts if not part.isdecimal() or not 1 <= int(part) <= cores]
    if wrong:
        raise ValueError(
            f"expected whole numbers from 1 to {cores}, the usable cores, got {', '.join(wrong) or 'none'}"
        )
    return list(dict.fromkeys(map(int, counts)))


def installed(peers):
    """Return which peers are installed, and which are not."""
    found = [name for name in peers if importlib.util.find_spec(MODULES[name])]
    return found, [name for name in peers if name not in found]
