"""How many rows and batches the epochs of a call have."""

from minibn.errors import ShapeError
from minibn.functional import checks


def rows_of_epoch(order, epochs):
    """Return the rows of each of some epochs whose orders stand one behind the other, ndarray, shape (M,)."""
    if order.ndim != 1 or order.size < 1:
        raise ShapeError(f"order must have shape (M,) with M at least 1, got {order.shape}; pass row indices")
    if epochs == 1:
        return order.size
    rows, rest = divmod(len(order), checks.whole("epochs", epochs, 1))
    if rest:
        raise ShapeError(
            f"order must hold {epochs} epochs of equal length, got {len(order)} rows; pass whole ones"
        )
    return rows


def steps(rows, batch_size):
    """Return the number of training batches; a last one of a single row joins the one before it."""
    return -(-rows // batch_size) - (rows > batch_size and rows % batch_size == 1)
