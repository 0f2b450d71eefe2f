"""Standardising features with numbers taken from the training part only."""

from dataclasses import dataclass

import numpy as np

from minibn import foreign
from minibn.errors import ArgumentError, DataError, DtypeError, ShapeError

from .blocks import row_blocks


@dataclass(frozen=True, eq=False)
class Scaler:
    """The map ``(x - mean) / scale + shift``, feature by feature.

    Attributes
    ----------
    mean : ndarray of float64, shape (C,)
    scale : ndarray of float64, shape (C,)
        Population standard deviation; 1 for a constant feature, which is only centred.
    shift : float
        Added to every scaled value, in standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.data import Scaler
    >>> scaler = Scaler.fit(np.array([[1.0, 100.0], [3.0, 300.0]]))
    >>> scaler.transform(np.array([[2.0, 400.0]]))
    array([[0., 2.]], dtype=float32)
    """

    mean: np.ndarray
    scale: np.ndarray
    shift: float = 0.0

    def __post_init__(self):
        for name in ("mean", "scale"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))
        object.__setattr__(self, "shift", float(self.shift))
        self._check()

    @classmethod
    def fit(cls, x, shift=0.0):
        """Take mean and standard deviation of every feature.

        Two passes in float64 over blocks of rows; the second also corrects the mean of the first.

        Parameters
        ----------
        x : ndarray of numbers, shape (N, C)
            The training part.
        shift : float

        Returns
        -------
        Scaler

        Raises
        ------
        DataError
            When a feature is not finite, or its spread overflows float64.
        ShapeError
            When there are no rows, or not two axes.
        """
        x = _checked(x)
        if not len(x):
            raise ShapeError("x: expected at least one row, got none")
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = _moments(x)
        bad = np.flatnonzero(~np.isfinite(variance))
        if len(bad):
            raise DataError(
                f"x: feature {bad[0]} is not finite or too wide to scale; correct its values or leave it out"
            )
        scale = np.sqrt(variance)
        return cls(mean, np.where(scale > 0, scale, 1.0), shift)

    @classmethod
    def identity(cls, features, shift=0.0):
        """Return the scaler that leaves values alone but for the shift.

        Parameters
        ----------
        features : int
        shift : float

        Returns
        -------
        Scaler
        """
        return cls(np.zeros(features), np.ones(features), shift)

    def transform(self, x, dtype=np.float32):
        """Scale a matrix: float64 by blocks of rows, then rounded once.

        Parameters
        ----------
        x : ndarray of numbers, shape (N, C)
        dtype : numpy.float32 or numpy.float64

        Returns
        -------
        ndarray of dtype, shape (N, C)
            A new array, C-contiguous. What the dtype cannot hold becomes infinite.

        Raises
        ------
        ShapeError
            When the number of features is another.
        DtypeError
            When ``dtype`` is neither float32 nor float64.
        """
        x = _checked(x)
        if x.shape[1] != len(self.mean):
            raise ShapeError(
                f"x: expected {len(self.mean)} features, as in the training data, got {x.shape[1]}"
            )
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise DtypeError(f"dtype: expected float32 or float64, got {np.dtype(dtype).name}")
        out = np.empty(x.shape, dtype=dtype)
        with np.errstate(over="ignore"):
            for rows in row_blocks(x):
                out[rows] = x[rows] if self._is_identity() else self._scaled(x[rows])
        return out

    def _scaled(self, x):
        return (np.asarray(x, dtype=np.float64) - self.mean) / self.scale + self.shift

    def to_dict(self):
        """Return the scaler as lists of floats, which JSON keeps exactly."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist(), "shift": self.shift}

    @classmethod
    def from_dict(cls, state):
        """Return the scaler that :meth:`to_dict` described.

        Parameters
        ----------
        state : dict

        Returns
        -------
        Scaler

        Raises
        ------
        ArgumentError
            When an entry is missing or is not a number.
        """
        try:
            return cls(state["mean"], state["scale"], state["shift"])
        except (KeyError, TypeError) as error:
            raise ArgumentError(f"state: expected mean, scale and shift as numbers; {error!r}") from error

    def _check(self):
        if self.mean.ndim != 1 or self.mean.shape != self.scale.shape:
            raise ShapeError(
                f"mean and scale: expected one shape (C,), got {self.mean.shape} and {self.scale.shape}"
            )
        finite = np.isfinite(self.mean).all() and np.isfinite(self.scale).all() and np.isfinite(self.shift)
        if not finite or not (self.scale > 0).all():
            raise ArgumentError(
                "mean, scale and shift: expected finite numbers and scale above 0; fit the scaler again"
            )

    def _is_identity(self):
        return self.shift == 0 and not self.mean.any() and (self.scale == 1).all()


def _checked(x):
    x = np.asarray(foreign.exchanged("x", x))
    if x.dtype.kind not in "buif":
        raise DtypeError(f"x: expected an array of numbers, got dtype {x.dtype.name}")
    if x.ndim != 2:
        raise ShapeError(f"x: expected shape (N, C), got {x.shape}")
    return x


def _moments(x):
    # Differences from the first row: a constant feature gives exact zeros, hence its own value and variance 0.
    first = x[0].astype(np.float64)
    guess = first + _sums(x, first)[0] / len(x)
    total, squares = _sums(x, guess)
    error = total / len(x)
    return guess + error, np.maximum(squares / len(x) - error * error, 0)


def _sums(x, origin):
    total, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for rows in row_blocks(x):
        difference = np.asarray(x[rows], dtype=np.float64) - origin
        total += difference.sum(axis=0)
        squares += np.einsum("ij,ij->j", difference, difference)
    return total, squares
