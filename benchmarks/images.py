"""Images for the benchmarks: MNIST's where a file of them is given, blots of their shape where none is."""

import os

import numpy as np

MNIST_FILE = "MINIBN_MNIST"
"""Environment variable that names an .npz of MNIST's 60,000 training and 10,000 test rows."""


def given():
    """Return whether there is a file of MNIST."""
    return bool(os.environ.get(MNIST_FILE))


def images(rows):
    """Return x of float32, (N, 784), and labels of at most so many training rows, then those of test rows."""
    return _mnist(rows) if given() else _blots(rows)


def _mnist(rows):
    with np.load(os.environ[MNIST_FILE]) as file:
        parts = [file[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    pixels = [(part.reshape(len(part), -1) / 255).astype(np.float32) for part in parts[::2]]
    return pixels[0][:rows], parts[1][:rows].astype(np.int64), pixels[1], parts[3].astype(np.int64)


def _blots(rows):
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


def scattered(rows):
    """Return x and labels of MNIST's shape at random: a fifth of the pixels is set, wherever they lie."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (rows, 784)) * (rng.random((rows, 784)) < 0.2)
    return (pixels / 255).astype(np.float32), rng.integers(10, size=rows)
