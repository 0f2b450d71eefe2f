"""A grid of settings, and the trainings that it asks for."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from pathlib import Path

from minibn.errors import ArgumentError
from minibn.functional import checks
from minibn.train import Settings

AXES = {
    "lr": "learning rate",
    "batch_size": "batch size",
    "depth": "hidden layers",
    "hidden": "hidden units",
    "init_scale": "factor on initial weights",
    "activation": "activation",
    "momentum": "momentum",
}
"""Settings that a grid can vary, with what charts call them."""

ARMS = (True, False)
MOST_CELLS = 10_000


@dataclass(frozen=True)
class Trial:
    """One training of a grid: one cell, one arm, one seed.

    Attributes
    ----------
    cell : int
        Number of the cell, counted from 0 in the order of :attr:`Grid.cells`.
    bn : bool
    seed : int
    settings : Settings
        Resolved.
    """

    cell: int
    bn: bool
    seed: int
    settings: Settings

    @property
    def key(self):
        """What tells the trials of one grid apart."""
        return self.cell, self.bn, self.seed


@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of some settings, with and without batch norm, for some seeds.

    Attributes
    ----------
    settings : Settings
        What all trainings share; not resolved. The path of a data file is made absolute.
    axes : dict of str to tuple
        Values of the settings that vary: ``"lr"``, ``"batch_size"``, ``"depth"``, ``"hidden"`` (the width of a layer),
        ``"init_scale"``, ``"activation"`` or ``"momentum"``.
    seeds : tuple of int
        Both arms of a pair share the seed: data, split, initial draws and batch order.
    """

    settings: Settings
    axes: dict
    seeds: tuple

    def __post_init__(self):
        path = Path(self.settings.data)
        if path.suffix:  # workers and later runs may start elsewhere
            object.__setattr__(self, "settings", replace(self.settings, data=str(path.resolve())))
        _check(self)

    @cached_property
    def cells(self):
        """Values of the axes in every cell, list of dict; the last axis changes fastest."""
        return [
            dict(zip(self.axes, values, strict=True)) for values in product(*map(tuple, self.axes.values()))
        ]

    @cached_property
    def trials(self):
        """All trainings, list of Trial, ordered by seed, cell and arm.

        Neighbours share their data, and a cell's pair stands together.
        """
        plain = [[_settings(self.settings, cell, bn) for bn in ARMS] for cell in self.cells]
        return [
            Trial(number, bn, seed, replace(settings, seed=seed))
            for seed in self.seeds
            for number, pair in enumerate(plain)
            for bn, settings in zip(ARMS, pair, strict=True)
        ]

    def to_dict(self):
        """Return the grid, JSON-able, with the absolute path of a data file."""
        return {
            "settings": self.settings.to_dict(),
            "axes": {name: list(values) for name, values in self.axes.items()},
            "seeds": list(self.seeds),
        }

    @classmethod
    def from_dict(cls, stored):
        """Return the grid that :meth:`to_dict` stored.

        Raises
        ------
        ArgumentError
            When it was stored by a version with other settings.
        """
        try:
            given = dict(stored["settings"])
            given["hidden"] = None if given["hidden"] is None else tuple(given["hidden"])
            axes = {name: tuple(values) for name, values in stored["axes"].items()}
            return cls(Settings(**given), axes, tuple(stored["seeds"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ArgumentError(
                f"the stored grid does not fit this version of minibn ({error}); start the sweep anew"
            ) from error


def _settings(base, cell, bn):
    """Return the resolved settings of one cell and arm."""
    changed = {name: (value,) if name == "hidden" else value for name, value in cell.items()}
    return replace(base, bn=bn, **changed).resolved()


def _check(grid):
    unknown = [name for name in grid.axes if name not in AXES]
    if unknown:
        raise ArgumentError(f"axes: {unknown[0]!r} cannot be varied; choose among {', '.join(AXES)}")
    for name, values in grid.axes.items():
        if not len(values) or len(set(values)) < len(values):
            raise ArgumentError(
                f"axes: {name} needs values that differ, got {list(values)}; give each value once"
            )
    if "hidden" in grid.axes and len(grid.settings.hidden or ()) > 1:
        raise ArgumentError("axes: hidden varies the width of equal layers; leave hidden out of the settings")
    if not len(grid.seeds) or len(set(grid.seeds)) < len(grid.seeds):
        raise ArgumentError(f"seeds must differ, at least one, got {list(grid.seeds)}; pass e.g. range(10)")
    for seed in grid.seeds:
        checks.whole("seed", seed, 0)
    count = 1
    for values in grid.axes.values():
        count *= len(values)
    if count > MOST_CELLS:
        raise ArgumentError(f"axes: at most {MOST_CELLS} cells, got {count}; give fewer values")
    _ = grid.trials  # checks every value


def neutral(settings):
    """Return settings with everything that a grid varies set back: what the data of its trials depend on."""
    varied = {field.name: field.default for field in fields(Settings) if field.name in {*AXES, "bn"}}
    return replace(settings, **varied)
