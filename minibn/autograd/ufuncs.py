"""NumPy's functions of arrays, asked of a tensor: those that the tape records, and one line for all others."""

import numpy as np

from minibn.errors import DtypeError

_RECORDED = {
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.divide: ("__truediv__", "__rtruediv__"),
    np.matmul: ("__matmul__", "__rmatmul__"),
    np.negative: ("__neg__",),
    np.exp: ("exp",),
    np.log: ("log",),
}
_REDUCTIONS = {
    "maximum": "max", "minimum": "min", "multiply": "prod", "add": "sum", "logical_or": "any", "logical_and": "all",
}  # fmt: skip


def play(kind, ufunc, method, inputs, options):
    """Answer ``__array_ufunc__`` of a tensor.

    Parameters
    ----------
    kind : type
        That of tensors.
    ufunc : numpy.ufunc
    method : str
        ``"__call__"``, ``"reduce"`` and so on.
    inputs : tuple
    options : dict

    Returns
    -------
    Tensor

    Raises
    ------
    DtypeError
        For what the tape does not record.
    """
    # array += tensor asks for an output in the array, and gives the name to a tensor, as Python does where it can.
    in_place = len(inputs) == 2 and options.keys() == {"out"} and options["out"][0] is inputs[0]
    names = _RECORDED.get(ufunc)
    if names is None or method != "__call__" or (options and not in_place):
        raise _refusal(ufunc.__name__, method)
    first, *others = inputs
    if isinstance(first, kind):
        return getattr(first, names[0])(*others)
    return getattr(others[0], names[1])(first)


def _refusal(name, method):
    if method == "reduce":
        name = _REDUCTIONS.get(name, f"{name}.reduce")
    elif method != "__call__":
        name = f"{name}.{method}"
    return DtypeError(
        f"np.{name} with these arguments is not recorded for a Tensor; pass tensor.numpy() where no gradient is needed"
    )


def unused(**options):
    """Refuse what NumPy hands to a reduction and a tensor has no use for."""
    for name, value in options.items():
        if value is not None:
            raise DtypeError(
                f"{name} must be None for a Tensor, which keeps its dtype and makes a new tensor, got "
                f"{getattr(value, '__name__', type(value).__name__)}; pass tensor.numpy() where no gradient is needed"
            )
