"""What the estimators are fitted to, at settings that both libraries have."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from minibn.data import example

MNIST_FILE = "MINIBN_MNIST"
"""Environment variable that names an .npz of MNIST's 60,000 training and 10,000 test rows."""


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


def _mnist(rows):
    with np.load(os.environ[MNIST_FILE]) as file:
        parts = [file[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    pixels = [(part.reshape(len(part), -1) / 255).astype(np.float32) for part in parts[::2]]
    return pixels[0][:rows], parts[1][:rows], pixels[1], parts[3]


def _mnist_like(rows):
    """Return images of MNIST's shape: blots of a shape for each class in a box of 20 x 20, half of which they fill."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=rows + 2000)
    shapes, noise = (_smooth(rng.standard_normal((n, 20, 20)), 5) for n in (10, len(y)))
    blots = shapes[y] + 0.7 * noise
    x = np.zeros((len(y), 28, 28), np.float32)
    x[:, 4:24, 4:24] = np.minimum(np.maximum(blots, 0) * 10, 1)
    x = x.reshape(len(y), 784)
    return x[:rows], y[:rows], x[rows:], y[rows:]


def _smooth(images, window):
    """Return means over square windows, of images that go on behind their edges at the opposite ones."""
    for axis in (1, 2):
        images = sum(np.roll(images, shift, axis) for shift in range(window)) / window
    return images


def tasks(quick):
    """Return the tasks; MNIST's shape stands for MNIST where the environment names no file."""
    real = bool(os.environ.get(MNIST_FILE))
    mnist = (
        Task("MNIST", _mnist, 60000, 100, 3, 0.1)
        if real
        else Task("MNIST's shape", _mnist_like, 20000, 100, 5, 0.1)
    )
    found = [
        Task("headline", _headline, 1000, 10, 200, 0.01),
        Task("digits", _digits, 1400, 100, 200, 0.05),
        mnist,
    ]
    return [replace(task, rows=min(task.rows, 10000)) for task in found] if quick else found
