"""Rows of the table of cases, played on the device."""

import inspect

import numpy as np

from minibn.kernels import cuda

MEANS, VARIANCES = {"mean", "running_mean"}, {"var", "running_var", "class_weight"}
SCALARS = (bool, int, float, type(None))


def names_of(function):
    """Return the names of a kernel's arguments that are not keywords."""
    kinds = inspect.signature(function).parameters.values()
    return [p.name for p in kinds if p.kind is not inspect.Parameter.KEYWORD_ONLY]


def put(name, value):
    """Move an argument of the CPU's kernel to where the twin takes it."""
    if isinstance(value, SCALARS):
        return value
    if name in MEANS:
        return cuda.mean_to_device(value)
    return cuda.var_to_device(value) if name in VARIANCES else cuda.to_device(value)


def get(name, value):
    """Move an argument back."""
    if isinstance(value, SCALARS):
        return value
    return cuda.mean_to_host(value) if name in MEANS else value.copy_to_host()


def run_case(case, inputs):
    """Play the twin of a case's kernel on outputs poisoned with NaN; return its results in the oracle's order."""
    function = getattr(cuda, case.kernel)
    names = names_of(function)
    given = [put(name, value) for name, value in zip(names, inputs, strict=False)]
    outputs = [
        put(name, value) for name, value in zip(names[len(inputs) :], case.poisoned(inputs), strict=True)
    ]
    result = function(*given, *outputs)
    everything = dict(zip(names, given + outputs, strict=True))
    changed = [names[i] for i in case.changed] or names[len(inputs) :]
    return ([result] if case.returns else []) + [get(name, everything[name]) for name in changed]


def poisoned(*shape):
    """Return an array of the device full of NaN."""
    return cuda.to_device(np.full(shape, np.nan, np.float32))
