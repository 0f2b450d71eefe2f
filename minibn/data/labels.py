"""From the values of a target column to class indices."""

import numpy as np

from minibn.errors import ArgumentError, DataError

PLAIN = (bool, int, float, str)


def row_number(row):
    """Return the name of a row in a message: ``"row 1"`` is the first row of data."""
    return f"row {row + 1}"


def native(labels):
    """Return labels as a tuple of Python's own values.

    Parameters
    ----------
    labels : iterable

    Returns
    -------
    tuple
    """
    return tuple(label.item() if isinstance(label, np.generic) else label for label in labels)


def code_labels(values, target, labels=None, place=row_number):
    """Replace every label by its class index.

    Parameters
    ----------
    values : ndarray, shape (N,)
        Labels: integers, booleans, text, or floats without a fraction (which become integers).
    target : str
        Name of the target, for messages.
    labels : sequence, optional
        The classes in order. A value is matched as it is, or else by its text. By default the sorted distinct
        values.
    place : callable
        From a row index to its name in a message.

    Returns
    -------
    y : ndarray of int64, shape (N,)
    labels : tuple

    Raises
    ------
    DataError
        When a label is missing, is a fraction, is not among ``labels``, or differs from another only by blanks
        around it.
    """
    _refuse_missing(values, target, place)
    distinct, inverse = _distinct(values, target)
    plain = [_plain(value, target) for value in distinct]
    if labels is not None:
        return _known(plain, inverse, target, native(labels), place)
    _refuse_fractions(plain, inverse, target, place)
    _refuse_blanks(plain, inverse, target, place)
    return inverse, tuple(plain)


def match_label(value, labels):
    """Find a label by value or else by its text.

    Parameters
    ----------
    value : object
    labels : sequence

    Returns
    -------
    int or None
        Index into ``labels``; None where it is not among them.
    """
    labels = tuple(labels)
    if value in labels:
        return labels.index(value)
    texts = [str(label) for label in labels]
    return texts.index(str(value)) if str(value) in texts else None


def check_classes(dataset, rows, place=row_number):
    """Refuse a target that no classifier can be trained on.

    Parameters
    ----------
    dataset : Dataset
    rows : ndarray of int, shape (M,)
        The training rows.
    place : callable
        From a row index to its name in a message.

    Raises
    ------
    DataError
        When the training rows hold fewer than two classes, or fewer than two rows of a class.
    """
    counts = np.bincount(dataset.y[rows], minlength=len(dataset.labels))
    target = dataset.target
    if np.count_nonzero(counts) < 2:
        only = dataset.labels[int(counts.argmax())]
        raise DataError(
            f"target {target!r} is constant: every row is {only!r}; give rows of at least two classes"
        )
    rare = int(counts.argmin())
    if counts[rare] < 2:
        row = int(np.flatnonzero(dataset.y == rare)[0])
        raise DataError(
            f"target {target!r}: class {dataset.labels[rare]!r} ({place(row)}) has fewer than two training rows; "
            "add rows, merge the class with another or leave it out"
        )


def _refuse_missing(values, target, place):
    missing = _missing(values)
    if missing.any():
        row = int(missing.argmax())
        raise DataError(
            f"target {target!r}, {place(row)}: the label is missing or not finite; fill it in or drop the row"
        )


def _missing(values):
    if values.dtype.kind == "f":
        return ~np.isfinite(values)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _distinct(values, target):
    if values.dtype.kind != "O":
        distinct, inverse = np.unique(values, return_inverse=True)
        return distinct.tolist(), inverse.astype(np.int64)
    try:
        distinct = sorted(set(values))
    except TypeError:
        raise DataError(
            f"target {target!r} mixes kinds of label; make them all text or all integers"
        ) from None
    index = {value: i for i, value in enumerate(distinct)}
    return distinct, np.fromiter((index[value] for value in values), np.int64, len(values))


def _plain(value, target):
    (value,) = native([value])
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, PLAIN):
        raise DataError(
            f"target {target!r}: {value!r} is no class label; give integers, booleans or text, not {type(value).__name__}"
        )
    # A column of integers turns into floats as soon as one of them was missing.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refuse_fractions(plain, inverse, target, place):
    for code, value in enumerate(plain):
        if isinstance(value, float):
            row = int((inverse == code).argmax())
            raise DataError(
                f"target {target!r}, {place(row)}: {value!r} is not an integer, which looks like a regression target; "
                "minibn trains classifiers: name the column of class labels"
            )


def _refuse_blanks(plain, inverse, target, place):
    first = {}
    for code, value in enumerate(plain):
        if isinstance(value, str) and first.setdefault(value.strip(), value) != value:
            row, other = int((inverse == code).argmax()), first[value.strip()]
            raise DataError(
                f"target {target!r}, {place(row)}: label {value!r} differs from {other!r} only by blanks around it; "
                "strip the labels"
            )


def _known(plain, inverse, target, labels, place):
    if not labels or len(set(labels)) < len(labels):
        raise ArgumentError(f"labels: expected distinct labels, at least one, got {labels!r}")
    codes = [match_label(value, labels) for value in plain]
    if None in codes:
        code = codes.index(None)
        row = int((inverse == code).argmax())
        raise DataError(
            f"target {target!r}, {place(row)}: label {plain[code]!r} is not among the known {listed(labels)}; "
            "correct it or drop the row"
        )
    return np.array(codes, dtype=np.int64)[inverse], labels


def listed(names, most=12):
    """Return names as text, cut short where they are many.

    Parameters
    ----------
    names : sequence
    most : int
        How many are written out.

    Returns
    -------
    str
    """
    names = list(names)
    text = ", ".join(repr(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
