"""The tensor: an array that remembers how it was made."""

import numpy as np

from minibn import foreign
from minibn.autograd import array_ops as ops
from minibn.autograd import tape, ufuncs
from minibn.errors import DtypeError


def _as_float_array(data):
    array = np.asarray(foreign.as_array("data", data))
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "iufb":
        raise DtypeError(f"a Tensor must hold numbers, got {array.dtype}; convert to float32 or float64")
    return array.astype(np.float64)


class Tensor:
    """An array of float32 or float64 with a gradient.

    Parameters
    ----------
    data : array_like
        float32 and float64 arrays are taken without a copy, other numbers become float64.
    requires_grad : bool
        Whether ``backward`` accumulates into ``grad``.

    Attributes
    ----------
    data : ndarray of float32 or float64
    grad : ndarray of the dtype and shape of data, or None
    node : minibn.autograd.tape.Node or None
        The operation that made this tensor.

    Examples
    --------
    >>> import numpy as np
    >>> from minibn.autograd import Tensor
    >>> x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> loss.item(), x.grad
    (14.0, array([2., 4., 6.]))
    """

    __slots__ = ("__weakref__", "data", "grad", "node", "requires_grad")

    def __init__(self, data, requires_grad=False):
        self.data = data.data if isinstance(data, Tensor) else _as_float_array(data)
        self.requires_grad, self.grad, self.node = requires_grad, None, None

    @property
    def shape(self):
        """Shape of the array."""
        return self.data.shape

    @property
    def ndim(self):
        """Number of axes."""
        return self.data.ndim

    @property
    def dtype(self):
        """Dtype of the array."""
        return self.data.dtype

    @property
    def T(self):  # noqa: N802
        """The tensor with its axes reversed."""
        return self.transpose()

    def __len__(self):
        return len(self.data)

    def __repr__(self):
        suffix = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({np.array2string(self.data, prefix='Tensor(')}, dtype={self.dtype}{suffix})"

    def item(self):
        """Return the single number as a Python float."""
        return self.data.item()

    def numpy(self):
        """Return the array itself, not a copy."""
        return self.data

    def __array__(self, dtype=None, copy=None):
        """Return the array for ``np.asarray``: itself, unless a dtype or a copy is asked for. History stays behind."""
        if dtype is None or np.dtype(dtype) == self.dtype:
            return self.data.copy() if copy else self.data
        if copy is False:
            raise ValueError(f"a Tensor of {self.dtype} cannot become {dtype} without a copy; leave copy out")
        return self.data.astype(dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        """Record ``array + tensor`` and ``np.exp(tensor)``; raise DtypeError for what the tape does not know."""
        return ufuncs.play(Tensor, ufunc, method, inputs, options)

    def __dlpack__(self, **options):
        """Offer the memory to another library, without a copy; a gradient and history stay behind."""
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self):
        """Return where the memory lies: (1, 0), the CPU."""
        return self.data.__dlpack_device__()

    def detach(self):
        """Return a tensor on the same memory, without history and without gradient."""
        return Tensor(self.data)

    def zero_grad(self):
        """Forget the gradient."""
        self.grad = None

    def accumulate(self, gradient):
        """Add to the gradient."""
        if self.grad is None:
            self.grad = np.array(gradient, self.dtype).reshape(self.shape)
        else:
            self.grad += gradient

    def backward(self, gradient=None, retain_graph=False):
        """Accumulate the gradient of this tensor into every leaf behind it that requires one.

        Parameters
        ----------
        gradient : ndarray of the shape of the tensor, optional
            Gradient of the final result by this tensor; ones for a single number.
        retain_graph : bool
            Keep the tape for another backward pass.

        Raises
        ------
        GradientError
            When there is no tape, when it was freed, or when an operation has no backward rule.
        ShapeError
        """
        tape.backward(self, gradient, retain_graph)

    def _operand(self, other):
        if isinstance(other, Tensor):
            return other
        array = np.asarray(foreign.exchanged("the operand", other))
        return Tensor(
            array if array.dtype in (np.float32, np.float64) and array.ndim else array.astype(self.dtype)
        )

    def __add__(self, other):
        return tape.apply(ops.ADD, self, self._operand(other))

    def __radd__(self, other):
        return self._operand(other) + self

    def __sub__(self, other):
        return tape.apply(ops.SUB, self, self._operand(other))

    def __rsub__(self, other):
        return self._operand(other) - self

    def __mul__(self, other):
        return tape.apply(ops.MUL, self, self._operand(other))

    def __rmul__(self, other):
        return self._operand(other) * self

    def __truediv__(self, other):
        return tape.apply(ops.DIV, self, self._operand(other))

    def __rtruediv__(self, other):
        return self._operand(other) / self

    def __neg__(self):
        return self * -1.0

    def __matmul__(self, other):
        return tape.apply(ops.MATMUL, self, self._operand(other))

    def __rmatmul__(self, other):
        return self._operand(other) @ self

    def sum(self, axis=None, keepdims=False, *, dtype=None, out=None):
        """Sum over one axis, several or all; ``np.sum(tensor)`` is the same, dtype and out must be None."""
        ufuncs.unused(dtype=dtype, out=out)
        return tape.apply(ops.SUM, self, axis=axis, keepdims=keepdims)

    def mean(self, axis=None, keepdims=False, *, dtype=None, out=None):
        """Average over one axis, several or all; ``np.mean(tensor)`` is the same, dtype and out must be None."""
        ufuncs.unused(dtype=dtype, out=out)
        return tape.apply(ops.MEAN, self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape):
        """Return the same entries in another shape."""
        return tape.apply(ops.RESHAPE, self, shape=shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes):
        """Permute the axes; reverse them where none are given."""
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return tape.apply(ops.TRANSPOSE, self, axes=axes or None)

    def exp(self):
        """Exponential of each entry."""
        return tape.apply(ops.EXP, self)

    def log(self):
        """Natural logarithm of each entry."""
        return tape.apply(ops.LOG, self)
