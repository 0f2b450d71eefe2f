"""Experiments of the literature, small enough for a laptop, on data of the user's choice.

Each module holds one study: a function from a :class:`Setup` to a :class:`minibn.lab.Report`, registered with its
question, its source and its cost.
"""

from minibn.lab.studies import (
    batch_size,
    depth,
    eval_mode,
    gradient_growth,
    imbalance,
    init,
    ioffe_szegedy,
    landscape,
    learning_rates,
    precise_stats,
    regularization,
    saturation,
    scale_invariance,
)
from minibn.lab.studies.study import STUDIES, Setup, Study, find

__all__ = [
    "STUDIES",
    "Setup",
    "Study",
    "batch_size",
    "depth",
    "eval_mode",
    "find",
    "gradient_growth",
    "imbalance",
    "init",
    "ioffe_szegedy",
    "landscape",
    "learning_rates",
    "precise_stats",
    "regularization",
    "saturation",
    "scale_invariance",
]
