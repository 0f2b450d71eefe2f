"""Data sets as checked arrays: read, split, scaled.

:func:`load` takes a name (``"example"``, ``"example-hard"``, ``"wine"``, ``"digits"``, ``"iris"``, ``"breast-cancer"``) or a path to a
``.csv``, ``.npz`` or ``.parquet`` file and returns a :class:`Dataset`, or raises a
:class:`~minibn.errors.DataError` of one line that names the column, the row and the remedy.

Examples
--------
>>> from minibn.data import Scaler, load, split
>>> data = load("example", seed=0)
>>> train, validation = split(data.y, 0.2, seed=0)
>>> scaler = Scaler.fit(data.x[train])
>>> scaler.transform(data.x[validation]).dtype
dtype('float32')
"""

from .arrays import from_arrays
from .bundled import BUNDLED, bundled
from .dataset import Dataset
from .example import EXAMPLES, example
from .files import load
from .scaler import Scaler
from .split import split
from .weights import class_weights

__all__ = [
    "BUNDLED",
    "EXAMPLES",
    "Dataset",
    "Scaler",
    "bundled",
    "class_weights",
    "example",
    "from_arrays",
    "load",
    "split",
]
