"""The data sets: four to report on, and four others that thresholds are chosen on."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from minibn.train import Settings, prepare

REPORTED = ("example", "digits", "breast-cancer", "iris")
TUNING = ("wine", "clouds", "rare", "moons")
FIRST_SEED = {"report": 1000, "tuning": 7000}


def names(tuning, mammography):
    """Return the data sets of a measurement; a file of mammography takes the place of iris."""
    if tuning:
        return TUNING
    return (*REPORTED[:3], str(mammography)) if mammography else REPORTED


def title(name):
    """Return the name of a data set in a table."""
    return Path(name).stem


def experiment(name, seed, folder, **settings):
    """Return the experiment of a data set: read, split with the seed, scaled on the training rows.

    Rows that repeat are dropped: on both sides of a split they would be a fault.
    """
    source = name if name in REPORTED or name == "wine" or Path(name).suffix else _made(name, folder)
    usual = {"scale": "standard", "drop_duplicates": True, "seed": seed}
    return prepare(Settings(data=str(source), **(usual | settings)))


def from_rows(x, y, seed, folder, **settings):
    """Return an experiment on rows in memory, which pass through a file as a user's would."""
    path = Path(folder) / "rows.npz"
    np.savez(path, x=x, y=y)
    return prepare(Settings(data=str(path), **({"scale": "standard", "seed": seed} | settings)))


def rows_of(found):
    """Return features and labels of an experiment's data, unscaled."""
    return found.dataset.x, found.dataset.y


def with_scaler(found, scaler):
    """Return an experiment whose rows were scaled by another scaler."""
    x = found.dataset.x
    return replace(
        found, scaler=scaler, x_train=scaler.transform(x[found.train_rows]),
        x_validation=scaler.transform(x[found.validation_rows]),
    )  # fmt: skip


def _made(name, folder):
    """Return the path of a synthetic data set, drawn once."""
    path = Path(folder) / f"{name}.npz"
    if not path.exists():
        x, y = _MAKERS[name]()
        np.savez(path, x=x, y=y)
    return path


def _clouds():
    from sklearn.datasets import make_classification

    return make_classification(
        1500, 30, n_informative=12, n_classes=6, n_clusters_per_class=1, class_sep=2, random_state=3
    )


def _rare():
    from sklearn.datasets import make_classification

    return make_classification(
        6000, 8, n_informative=5, weights=[0.96], class_sep=1.5, flip_y=0.002, random_state=4
    )


def _moons():
    from sklearn.datasets import make_moons

    return make_moons(800, noise=0.15, random_state=5)


_MAKERS = {"clouds": _clouds, "rare": _rare, "moons": _moons}
