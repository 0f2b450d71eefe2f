"""Rows for each seed: a training part, and a part to judge on that no rate is tuned on."""

import math
from dataclasses import dataclass, replace

import numpy as np

from minibn.data import split
from minibn.data.stream import SPLIT, generator
from minibn.train import Settings, prepare

_CAP = 1  # sets the draw of some of the training rows apart from the split


@dataclass(frozen=True, eq=False)
class Draw:
    """The rows of one seed.

    Attributes
    ----------
    x, x_judged : ndarray of float32, shape (N, C) and (M, C)
        Training rows, and rows that only judge.
    y, y_judged : ndarray of int64
    classes : int
    """

    x: np.ndarray
    y: np.ndarray
    x_judged: np.ndarray
    y_judged: np.ndarray
    classes: int

    @property
    def baseline(self):
        """Share of the most frequent class among the judging rows: what a diverged run scores."""
        return float(np.bincount(self.y_judged).max() / len(self.y_judged))

    def probe(self, n):
        """Return at most n judging rows, evenly spaced, since files are often sorted: ``(x, y)``."""
        rows = np.linspace(0, len(self.y_judged) - 1, min(n, len(self.y_judged))).astype(np.int64)
        return self.x_judged[rows], self.y_judged[rows]


class Draws:
    """Draws of a data set by seed.

    Parameters
    ----------
    data, target
        As in :class:`minibn.train.Settings`.
    rows : int
        At most so many training rows, drawn anew for each seed.
    binary : bool
        Turn images into black and white; other data are standardised all the same.

    Attributes
    ----------
    black_and_white : bool
        Whether that was done: only data without a negative value and with a square number of columns, at
        least 16, are taken for images.
    """

    def __init__(self, data, target=None, *, rows=10_000, binary=False):
        self._settings = Settings(data=data, target=target, scale="standard")
        self._rows, self._drawn = rows, {}
        raw = prepare(replace(self._settings, scale="none")) if binary else None
        self.black_and_white = raw is not None and looks_like_images(raw.dataset.x)
        if self.black_and_white:
            self._settings, self._level = replace(self._settings, scale="none"), raw.dataset.x.max() / 2
        self._fixed = self._whole = None

    def __call__(self, seed, tuning=False):
        """Return the Draw of a seed; for tuning, one cut from its training part alone."""
        if self._whole and not tuning:
            return self._whole
        if (seed, tuning) not in self._drawn:
            self._drawn[seed, tuning] = self._draw(seed, tuning)
        return self._drawn[seed, tuning]

    def _draw(self, seed, tuning):
        experiment = self._experiment(seed)
        x, y, train = experiment.x_train, experiment.y_train, np.arange(len(experiment.y_train))
        judged = experiment.x_validation, experiment.y_validation
        if tuning:
            train, held = split(y, 0.2, seed)
            held = self._some(held, seed)
            judged = x[held], y[held]
        rows = self._some(train, seed)
        draw = Draw(
            self._seen(x[rows]), y[rows], self._seen(judged[0]), judged[1], len(experiment.dataset.labels)
        )
        if self._fixed is not None and len(rows) == len(y):
            self._whole = draw  # the same for every seed, so kept once
        return draw

    def _some(self, rows, seed):
        """Return as many of the rows as are wanted, drawn by the seed."""
        few = len(rows) <= self._rows
        return rows if few else generator(seed, SPLIT, _CAP).permutation(rows)[: self._rows]

    def _experiment(self, seed):
        """Prepare the data of a seed; data that bring a validation part of their own are read once."""
        if self._fixed is not None:
            return self._fixed
        experiment = prepare(replace(self._settings, seed=seed))
        if experiment.dataset.validation_rows is not None:
            self._fixed = experiment
        return experiment

    def _seen(self, x):
        return (x > self._level).astype(np.float32) if self.black_and_white else x

    def conditions(self):
        """Return what is to be said about the rows drawn so far, JSON-able."""
        scaled = (
            "black and white, cut at half of the largest value" if self.black_and_white else "standardised"
        )
        one = next(draw for (_, tuning), draw in self._drawn.items() if not tuning)
        return {
            "data": self._settings.data,
            "inputs": f"{one.x.shape[1]} columns, {scaled}",
            "rows": f"{len(one.y)} to train on, {len(one.y_judged)} to judge on, {one.classes} classes",
        }


def looks_like_images(x):
    """Say whether rows can be square images: no negative value, and a square number of columns, at least 16."""
    side = math.isqrt(x.shape[1])
    return bool(side >= 4 and side * side == x.shape[1] and x.min() >= 0)
