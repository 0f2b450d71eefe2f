"""The settings of one run, with defaults that depend on the data."""

from dataclasses import asdict, dataclass, fields

import numpy as np

from minibn.data import EXAMPLES
from minibn.errors import ArgumentError, CheckpointError, DtypeError
from minibn.functional import checks
from minibn.metrics import parse_goal
from minibn.nn.activations import ACTIVATIONS
from minibn.program.devices import DEVICES

_EXAMPLE_DEFAULTS = {"hidden": (10,), "epochs": 5, "lr": 0.01, "scale": "none"}
_DEFAULTS = {"hidden": (64,), "epochs": 20, "lr": 0.1, "scale": "standard"}
_LARGEST = float(np.finfo(np.float32).max)
_ADAM_RATE = 0.001
DEEPEST = 100_000  # hidden layers; the tape of more takes gigabytes and minutes a step


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that fixes a run: data, network, training, seed.

    None stands for a default that depends on the data; :meth:`resolved` fills it in.

    Attributes
    ----------
    data : str
        ``"example"``, ``"example-hard"``, a bundled data set, or a path.
    target : str or None
        Target column of a CSV or Parquet file; the last where None.
    drop_duplicates : bool
    positive : str or None
        Positive class of a problem with two classes; the second where None.
    bn : bool
    hidden : tuple of int or None
        Units of the hidden layers.
    depth : int or None
        Number of hidden layers, reached by repeating the last one.
    activation : str
    bn_momentum, bn_eps : float
    init_scale : float
        Factor on the initial weights.
    shift_inputs : float
        Added to the inputs after scaling.
    scale : str or None
        ``"standard"`` or ``"none"``.
    epochs, batch_size : int
    optimizer : str
        ``"sgd"`` or ``"adam"``.
    lr : float or None
    momentum, weight_decay : float
    class_weight : str or None
        ``"balanced"`` or None.
    val_fraction : float or None
        None where the data bring a validation part of their own.
    early_stopping : int or None
    threshold_for : str or None
        Goal of a threshold between two classes, searched on the validation part: ``"recall=0.8"``,
        ``"precision=0.9"`` or ``"f1"``.
    seed : int
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``, see :func:`minibn.train.fit`.
    """

    data: str = "example"
    target: str | None = None
    drop_duplicates: bool = False
    positive: str | None = None
    bn: bool = True
    hidden: tuple | None = None
    depth: int | None = None
    activation: str = "relu"
    bn_momentum: float = 0.1
    bn_eps: float = 1e-5
    init_scale: float = 1.0
    shift_inputs: float = 0.0
    scale: str | None = None
    epochs: int | None = None
    batch_size: int = 32
    optimizer: str = "sgd"
    lr: float | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    class_weight: str | None = None
    val_fraction: float | None = 0.2
    early_stopping: int | None = None
    threshold_for: str | None = None
    seed: int = 0
    device: str = "cpu"

    def resolved(self):
        """Return the settings with every default filled in and every value checked.

        Raises
        ------
        ArgumentError, DtypeError
        """
        defaults = dict(_EXAMPLE_DEFAULTS if self.data in EXAMPLES else _DEFAULTS)
        if self.optimizer == "adam":
            defaults["lr"] = _ADAM_RATE
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        full = {**defaults, **given}
        full["hidden"] = _repeated(tuple(full["hidden"]), full.pop("depth", None))
        settings = Settings(**full)
        settings._check()
        return settings

    def _check(self):
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("optimizer", self.optimizer, ("sgd", "adam"))
        _choice("scale", self.scale, ("standard", "none"))
        _choice("device", self.device, DEVICES)
        _choice("class_weight", self.class_weight, ("balanced", None))
        for name, low in (("epochs", 1), ("batch_size", 2), ("seed", 0)):
            checks.whole(name, getattr(self, name), low)
        for name in ("lr", "weight_decay", "bn_eps"):
            checks.number(name, getattr(self, name), 0.0)
        for name in ("momentum", "bn_momentum"):
            checks.number(name, getattr(self, name), 0.0, 1.0)
        checks.number("init_scale", self.init_scale)
        checks.number("shift_inputs", self.shift_inputs, -_LARGEST, _LARGEST)
        if not isinstance(self.bn, (bool, np.bool_)):
            raise DtypeError(f"bn must be True or False, got {self.bn!r}; leave it out for True")
        if self.optimizer == "adam" and self.momentum:
            raise ArgumentError(
                f"momentum belongs to sgd, got {self.momentum} with adam; leave it out or use sgd"
            )
        if self.early_stopping is not None:
            checks.whole("early_stopping", self.early_stopping, 1)
        if self.threshold_for is not None:
            parse_goal(self.threshold_for)
        if not 0 < self.val_fraction < 1:
            raise ArgumentError(
                f"val_fraction must lie between 0 and 1, got {self.val_fraction}; 0.2 is usual"
            )

    def to_dict(self):
        """Return the settings, JSON-able."""
        return asdict(self) | {"hidden": None if self.hidden is None else list(self.hidden)}

    @classmethod
    def from_dict(cls, settings):
        """Return the settings that :meth:`to_dict` stored.

        Raises
        ------
        CheckpointError
            When a name is unknown.
        """
        try:
            return cls(**settings | {"hidden": tuple(settings["hidden"])})
        except (TypeError, KeyError) as error:
            raise CheckpointError(
                f"the stored settings do not fit this version of minibn ({error}); train again"
            ) from error


def _choice(name, value, choices):
    if value not in choices:
        raise ArgumentError(f"{name} must be one of {', '.join(map(str, choices))}, got {value!r}")


def _repeated(hidden, depth):
    """Return the hidden sizes with the last one repeated up to ``depth`` layers."""
    for units in hidden:
        checks.whole("hidden", units, 1)
    if depth is None:
        return hidden
    if checks.whole("depth", depth, 1) < len(hidden):
        raise ArgumentError(
            f"depth must be at least the number of hidden sizes, {len(hidden)}, got {depth}; leave out a size"
        )
    if depth > DEEPEST:
        raise ArgumentError(f"depth must be at most {DEEPEST}, got {depth}; use fewer layers")
    return hidden + hidden[-1:] * (depth - len(hidden))
