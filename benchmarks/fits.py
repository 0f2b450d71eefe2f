"""What the estimators are fitted to, at settings that both libraries have."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import images
from minibn.data import example


@dataclass(frozen=True, slots=True)
class Task:
    """Data, hidden units, and how long is trained.

    Attributes
    ----------
    name : str
    data : callable
        ``data(rows)`` returns x of float32 and labels of at most so many training rows, then those of test rows.
    rows : int
    hidden : int
    epochs : int
    learning_rate : float
    """

    name: str
    data: Callable
    rows: int
    hidden: int
    epochs: int
    learning_rate: float

    def settings(self, seed, epochs=None):
        """Return the constructor's arguments: equal epochs, whatever the loss does."""
        return {
            "hidden_layer_sizes": (self.hidden,), "solver": "sgd", "momentum": 0.9, "batch_size": 200,
            "learning_rate_init": self.learning_rate, "max_iter": epochs or self.epochs, "tol": 0.0,
            "n_iter_no_change": 10**6, "random_state": seed,
        }  # fmt: skip


def _headline(rows):
    data = example(seed=0)
    x = np.ascontiguousarray(data.x, np.float32)
    return x[:rows], data.y[:rows], x[1000:], data.y[1000:]


def _digits(rows):
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    return x[:rows], y[:rows], x[1400:], y[1400:]


def tasks(quick):
    """Return the tasks; MNIST's shape stands for MNIST where the environment names no file."""
    mnist = (
        Task("MNIST", images.images, 60000, 100, 3, 0.1)
        if images.given()
        else Task("MNIST's shape", images.images, 20000, 100, 5, 0.1)
    )
    found = [
        Task("headline", _headline, 1000, 10, 200, 0.01),
        Task("digits", _digits, 1400, 100, 200, 0.05),
        mnist,
    ]
    return [replace(task, rows=min(task.rows, 10000)) for task in found] if quick else found
