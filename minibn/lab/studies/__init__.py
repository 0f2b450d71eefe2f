"""Experiments of the literature, small enough for a laptop, on data of the user's choice.

Each module holds one study: a function from a :class:`Setup` to a :class:`minibn.lab.Report`, registered with its
question, its source and its cost.
"""

from minibn.lab.studies import (
    depth,
    imbalance,
    init,
    ioffe_szegedy,
    learning_rates,
    regularization,
    saturation,
)
from minibn.lab.studies.study import STUDIES, Setup, Study, find

__all__ = [
    "STUDIES",
    "Setup",
    "Study",
    "depth",
    "find",
    "imbalance",
    "init",
    "ioffe_szegedy",
    "learning_rates",
    "regularization",
    "saturation",
]
