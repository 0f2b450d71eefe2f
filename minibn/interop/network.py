"""What every exporter takes."""

from minibn.errors import DtypeError
from minibn.nn import Sequential


def network(model):
    """Return a network of minibn as it is.

    Raises
    ------
    DtypeError
        When the model is not a Sequential of minibn.
    """
    if not isinstance(model, Sequential):
        raise DtypeError(f"model must be a minibn.nn.Sequential, got {type(model).__name__}; pass a network")
    return model
