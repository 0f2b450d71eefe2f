"""The file of a sweep: a line that says what is swept, and a line of JSON for every trial that is done."""

import json
import math
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from minibn.errors import ArgumentError, DataError
from minibn.lab.sweeps.grid import Grid
from minibn.train.files import write_atomically

KIND = "minibn sweep"
_KEY = {"cell": (int,), "bn": (bool,), "seed": (int,)}
_NUMBER, _NONE = (int, float), type(None)
_RESULT = {
    "accuracy": _NUMBER,
    "baseline": _NUMBER,
    "diverged": (bool,),
    "failed": (dict, _NONE),
    "train_loss": (*_NUMBER, _NONE),
    "val_loss": (*_NUMBER, _NONE),
}


def head_of(grid, digest):
    """Return the first line of a file, as a dict: two sweeps are the same where it is equal."""
    try:
        ours = version("minibn")
    except PackageNotFoundError:
        ours = None
    return {"kind": KIND, "minibn": ours, **grid.to_dict(), "data_sha256": digest}


class TrialFile:
    """Results on disk, kept as they come.

    Lines are appended whole and synced, so a killed sweep loses the chunk that it was in. A last line that is
    torn, as a full disk leaves one, is dropped and its trial done again. :meth:`finish` puts the lines in the
    order of the grid: a sweep that was interrupted leaves the same bytes as one that was not.

    Parameters
    ----------
    path : path
        Made where it does not exist, continued where it does.
    grid : Grid
    digest : str
        SHA-256 of the data of the first seed.

    Attributes
    ----------
    results : dict
        What is done, by the key of the trial.

    Raises
    ------
    ArgumentError
        When the file belongs to another sweep, or is no file of a sweep.
    DataError
        When the data are not those of the file, or the file is damaged before its last line.
    """

    def __init__(self, path, grid, digest):
        self.path, self.grid = Path(path), grid
        self._head = head_of(grid, digest)
        self.results = {}
        if self.path.exists():
            self._read()
        else:
            write_atomically(self.path, _line(self._head))

    def _read(self):
        lines = _whole_lines(self.path)
        _check_head(self.path, _parsed(lines[0]) if lines else None, self._head)
        known = {trial.key for trial in self.grid.trials}
        for number, line in enumerate(lines[1:], 2):
            entry = _parsed(line)
            key = _key(entry)
            if key not in known:
                raise DataError(f"{self.path}, line {number}, is damaged; delete that line and resume")
            self.results.setdefault(key, entry["result"])
        os.truncate(self.path, sum(map(len, lines)))

    def append(self, entries):
        """Keep the results of some trials, list of (Trial, dict)."""
        data = b"".join(self._entry(trial, result) for trial, result in entries)
        with self.path.open("ab", buffering=0) as file:
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        self.results.update({trial.key: result for trial, result in entries})

    def finish(self):
        """Write all lines anew in the order of the grid, unless they stand so already."""
        trials = self.grid.trials
        data = _line(self._head) + b"".join(self._entry(t, self.results[t.key]) for t in trials)
        if self.path.read_bytes() != data:
            write_atomically(self.path, data)

    def _entry(self, trial, result):
        values = self.grid.cells[trial.cell]
        return _line(
            {"cell": trial.cell, "values": values, "bn": trial.bn, "seed": trial.seed, "result": result}
        )


def stored_grid(path):
    """Return the grid of a file, to continue it.

    Raises
    ------
    ArgumentError
        When there is no such file, or it is none of a sweep.
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(
            f"{path.parent} holds no sweep: there is no {path.name} in it; pass the folder of one"
        )
    lines = _whole_lines(path)
    head = _parsed(lines[0]) if lines else None
    _check_kind(path, head)
    return Grid.from_dict(head)


def _whole_lines(path):
    """Return the lines of a file but a torn last one."""
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    return lines


def _parsed(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def _key(entry):
    """Return the key of an entry whose fields have the types that are written; None for any other."""
    if not _typed(entry, _KEY) or not _typed(entry.get("result"), _RESULT):
        return None
    return tuple(entry[name] for name in _KEY)


def _typed(found, fields):
    """Say whether all fields are there, each of one of its types; a number that is not finite is none."""
    return isinstance(found, dict) and all(
        name in found
        and type(found[name]) in types
        and (type(found[name]) is not float or math.isfinite(found[name]))
        for name, types in fields.items()
    )


def _line(value):
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def _check_kind(path, head):
    if not isinstance(head, dict) or head.get("kind") != KIND:
        raise ArgumentError(f"{path} is not the file of a sweep; pass another folder")


def _check_head(path, found, wanted):
    """Refuse to continue what is not the same sweep, and say what differs."""
    _check_kind(path, found)
    wanted = json.loads(_line(wanted))  # tuples become lists, as in the file
    if found == wanted:
        return
    difference = _difference(found, wanted)
    if difference is None:
        data = wanted["settings"]["data"]
        raise DataError(f"{data} is not the data that {path.parent} was begun on; restore it, or sweep anew")
    raise ArgumentError(
        f"{path.parent} holds another sweep ({difference}); use another folder, or overwrite this one"
    )


def _difference(found, wanted):
    """Return the first thing but the data in which two heads differ, in words; None where there is none."""
    theirs, ours = _flat(found), _flat(wanted)
    name = next((name for name in theirs | ours if theirs.get(name) != ours.get(name)), None)
    return None if name is None else f"{name} was {theirs.get(name)}, is {ours.get(name)}"


def _flat(head):
    axes = {f"values of {name}": values for name, values in (head.get("axes") or {}).items()}
    more = {"version of minibn": head.get("minibn"), "seeds": head.get("seeds")}
    return more | (head.get("settings") or {}) | axes
