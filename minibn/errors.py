"""Every error that minibn raises on purpose.

Each message is one line: which argument, what was expected, what came, and the remedy. Every class is also
one of Python's own exceptions, so that ``except ValueError`` keeps working.
"""


class MinibnError(Exception):
    """Base of all errors that minibn raises on purpose."""


class ShapeError(MinibnError, ValueError):
    """An array has the wrong number of axes, the wrong length or no element."""


class DtypeError(MinibnError, TypeError):
    """An argument is not an array, or an array of the wrong dtype."""


class ArgumentError(MinibnError, ValueError):
    """A value lies outside its range."""


class BatchSizeError(MinibnError, ValueError):
    """Batch statistics were asked of fewer than two rows."""


class GradientError(MinibnError, RuntimeError):
    """A backward pass is impossible, or a gradient is wrong."""


class ProgramError(MinibnError, RuntimeError):
    """A training step cannot be captured as a program, or its program no longer owns the model."""


class DataError(MinibnError, ValueError):
    """A data set cannot be read or cannot be trained on."""


class CheckpointError(MinibnError, ValueError):
    """A checkpoint is missing, damaged, foreign, or does not fit the model."""


class WriteError(MinibnError, OSError):
    """A file cannot be written: its folder is missing, is full or cannot be written to.

    The number of the system's error is kept, as in every ``OSError``.
    """


class ConversionError(MinibnError, ValueError):
    """A model of another library has a part without a counterpart, or a conversion did not keep its outputs."""


class MissingExtraError(MinibnError, ImportError):
    """An optional package is not installed; the message holds the pip line."""


class DeviceError(MinibnError, RuntimeError):
    """No CUDA device can be used, or an array lies somewhere else than on it."""


class WorkerError(MinibnError, RuntimeError):
    """A process that worked for this one died."""


class NonFiniteLossError(MinibnError, ArithmeticError):
    """Training stopped because the loss was not finite.

    Attributes
    ----------
    epoch : int
        Epoch of the failure, counted from 1.
    step : int
        Step within that epoch, counted from 1.
    layer : str
        First layer whose output was not finite, or ``"loss"``.
    history : minibn.train.History
        The epochs completed before the failure.
    """

    def __init__(self, epoch, step, layer, history):
        super().__init__(
            f"the loss is not finite at epoch {epoch}, step {step}; first non-finite output: {layer}; "
            "lower the learning rate, scale the inputs, or use batch norm"
        )
        self.epoch, self.step, self.layer, self.history = epoch, step, layer, history

    def __reduce__(self):
        return type(self), (self.epoch, self.step, self.layer, self.history)


_PROJECTS = {"sklearn": "scikit-learn"}


def require_extra(package, extra):
    """Import an optional package, or name the pip line that installs it.

    Parameters
    ----------
    package : str
        Module to import, e.g. ``"pandas"``.
    extra : str
        Extra of minibn that brings it, e.g. ``"data"``.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        When the package is not installed.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"{_PROJECTS.get(package.split('.')[0], package.split('.')[0])} is needed here and not installed; pip install 'minibn[{extra}]'"
        ) from error
