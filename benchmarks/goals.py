"""The goals, a row each, computed from the detail rows of a run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_BEYOND_CACHES = ("65536x256", "262144x64")  # 64 MiB of float32


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals.

    Attributes
    ----------
    suite, name, against : str
    goal : float
    value : callable
        ``value(details)`` returns ``ratio``, ``low`` and ``high`` as a dict, or None where nothing was measured.
    better : str
        ``"more"``: at least the goal reaches it; ``"less"``: at most.
    unit : str
        What ``ratio`` counts.
    aim : float or None
        A wish beyond the goal.
    """

    suite: str
    name: str
    against: str
    goal: float
    value: Callable
    better: str = "more"
    unit: str = "times faster"
    aim: float | None = None

    def row(self, details):
        """Return this goal's row; without ``ratio`` and ``reached`` where nothing was measured."""
        found = self.value(details) or {"ratio": None, "low": None, "high": None}
        return {
            "name": self.name,
            "against": self.against,
            **found,
            "goal": self.goal,
            "reached": None if found["ratio"] is None else self._reached(found["ratio"]),
            "better": self.better,
            "unit": self.unit,
            **({} if self.aim is None else {"aim": self.aim}),
        }

    def _reached(self, value):
        return value >= self.goal if self.better == "more" else value <= self.goal


def _pick(details, names, against, **wanted):
    names = (names,) if isinstance(names, str) else names
    found = [row for row in details if row["name"] in names and row["against"] == against]
    return [row for row in found if all(row[key] in values for key, values in wanted.items())]


def _values(row):
    return {key: row[key] for key in ("ratio", "low", "high")}


def _mean(names, against, **wanted):
    """Geometric means over what is picked, of the medians and of either end of the spreads."""

    def value(details):
        rows = _pick(details, names, against, **wanted)
        if not rows:
            return None
        means = {
            key: float(np.exp(np.mean([np.log(row[key]) for row in rows])))
            for key in ("ratio", "low", "high")
        }
        return means | {"over": len(rows)}

    return value


def _extreme(choose, names, against, **wanted):
    """The smallest or largest ratio of what is picked, with its shape."""

    def value(details):
        rows = _pick(details, names, against, **wanted)
        if not rows:
            return None
        row = choose(rows, key=lambda row: row["ratio"])
        return _values(row) | {"at": row["shape"], "over": len(rows)}

    return value


def _one(name, against, **wanted):
    def value(details):
        rows = _pick(details, name, against, **wanted)
        return _values(rows[0]) if rows else None

    return value


_FORWARD, _BACKWARD, _BOTH = "batch_norm_forward", "batch_norm_backward", "batch_norm_forward_backward"
_FUSED = "batch_norm_relu_forward"
_TWICE = (_FORWARD, _BACKWARD, _FUSED)
_MNIST = "MNIST 784-100-100-100-10, or data of its shape, sigmoid + batch norm, batch 60"
_WIDE = "MNIST 784-1024-1024-10, or data of its shape, ReLU + batch norm, batch 256, 2 threads"
PAIRS = "one after the other"
_MNIST_FITS = ("fit, MNIST", "fit, MNIST's shape")
_ACCURACIES = tuple(f"accuracy, {name}" for name in ("headline", "digits", "MNIST", "MNIST's shape"))
_PEER_IMPORT = "from sklearn.neural_network import MLPClassifier"
_ALLOCATIONS = "`run_epoch` after the first step: "

GOALS = (
    Goal("kernels", "batch-norm forward, geometric mean", "torch", 3.0, _mean(_FORWARD, "torch")),
    Goal("kernels", "batch-norm forward, smallest ratio", "torch", 1.15, _extreme(min, _FORWARD, "torch")),
    Goal("kernels", "batch-norm backward, geometric mean", "torch", 2.5, _mean(_BACKWARD, "torch")),
    Goal("kernels", "batch-norm backward, smallest ratio", "torch", 1.15, _extreme(min, _BACKWARD, "torch")),
    Goal("kernels", "batch-norm forward + backward, geometric mean", "numpy", 10.0, _mean(_BOTH, "numpy")),
    Goal("kernels", "batch-norm forward, arrays beyond the caches, largest ratio", "copy", 1.5,
         _extreme(max, _FORWARD, "copy", shape=_BEYOND_CACHES), "less", "times of a copy"),
    Goal("kernels", "batch-norm + ReLU fused, geometric mean", "torch", 4.0, _mean(_FUSED, "torch")),
    Goal("kernels", "batch norm with 2 threads, arrays of 1 MB and more, geometric mean", "1 thread", 1.7,
         _mean(_TWICE, "1 thread", threads=(2,))),
    Goal("training", "headline epoch", "torch", 100.0, _one("headline", "torch")),
    Goal("training", "headline epoch", "jax", 8.0, _one("headline", "jax")),
    Goal("training", "headline epoch, scikit-learn's without batch norm", "sklearn", 50.0, _one("headline", "sklearn")),
    Goal("training", _MNIST, "torch", 3.0, _one("mnist", "torch")),
    Goal("training", _WIDE, "torch", 1.0, _one("mnist-wide", "torch", threads=(2,))),
    *(
        Goal("training", f"two threads training two models at once, {name}", PAIRS, 1.8, _one(f"{network}, two models at once", PAIRS, **lengths))
        for name, network, lengths in (
            ("headline, 200 epochs", "headline", {"epochs": (200,)}),
            ("headline, 2000 epochs", "headline", {"epochs": (2000,)}),
            ("MNIST or data of its shape, one BLAS thread", "mnist", {}),
        )
    ),
    *(
        Goal("training", _ALLOCATIONS + name, "", 0, _one(name, ""), "less", unit)
        for name, unit in (
            ("allocations by compiled code", "allocations"),
            ("bytes that Python traces", "bytes"),
            ("growth of the process's high-water mark", "KiB"),
        )
    ),
    *(
        Goal("estimators", f"fit, {name}", "sklearn", goal, _one(tasks, "sklearn"))
        for name, tasks, goal in (
            ("headline 20-10-3", "fit, headline", 20.0),
            ("digits 64-100-10", "fit, digits", 5.0),
            ("MNIST 784-100-10, or data of its shape", _MNIST_FITS, 2.0),
        )
    ),
    Goal("estimators", "accuracy after such fits minus scikit-learn's, same seeds, smallest", "", -0.1,
         _extreme(min, _ACCURACIES, ""), unit="points"),
    Goal("estimators", "`import minibn.sklearn` after scikit-learn's MLPClassifier", "", 0.1,
         _one("import minibn.sklearn", _PEER_IMPORT), "less", "s"),
    Goal("startup", "`minibn --help` minus `python -c pass`", "pass", 0.25, _one("minibn --help", "pass"), "less", "s"),
    Goal("startup", "first `minibn train`, empty cache", "", 8.0, _one("first minibn train", ""), "less", "s", 5.0),
    Goal("startup", "second `minibn train` minus importing numba and matplotlib", "import numba, matplotlib", 1.0,
         _one("minibn train", "import numba, matplotlib"), "less", "s"),
)  # fmt: skip


def rows(suite, details):
    """Return the rows of a suite's goals, in the order of the table."""
    return [goal.row(details) for goal in GOALS if goal.suite == suite]
