"""The small real data sets that scikit-learn carries within itself: nothing is downloaded."""

import numpy as np

from minibn.errors import DataError, require_extra

from .dataset import Dataset
from .labels import code_labels

BUNDLED = ("wine", "digits", "iris", "breast-cancer")


def bundled(name):
    """Read one of the data sets that come with scikit-learn.

    Parameters
    ----------
    name : {"wine", "digits", "iris", "breast-cancer"}

    Returns
    -------
    Dataset
        Labels are the names of the classes; for digits the integers 0 to 9.

    Raises
    ------
    DataError
        When there is no data set of that name.
    MissingExtraError
        When scikit-learn is not installed.
    """
    if name not in BUNDLED:
        raise DataError(f"no bundled data set is called {name!r}; choose one of {', '.join(BUNDLED)}")
    loaders = require_extra("sklearn.datasets", "data")
    bunch = getattr(loaders, f"load_{name.replace('-', '_')}")()
    y, labels = code_labels(np.asarray(bunch.target_names)[bunch.target], "target")
    return Dataset(
        name,
        np.ascontiguousarray(bunch.data),
        y,
        tuple(map(str, bunch.feature_names)),
        labels,
        None,
        "target",
    )
