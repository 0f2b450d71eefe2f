"""Weights that make the loss count some classes more."""

from collections.abc import Mapping

import numpy as np

from minibn.errors import ArgumentError


def class_weights(y, classes, weight, sample_weight=None):
    """Return one weight a class.

    Parameters
    ----------
    y : ndarray of int, shape (N,)
        Class indices of the training part.
    classes : int
        Number of classes.
    weight : None, "balanced", mapping or sequence
        ``"balanced"`` is ``N / (classes * count)``, so that every class weighs the same in sum (G. King and
        L. Zeng, "Logistic regression in rare events data", 2001). A mapping goes from class index to weight, 1
        where it says nothing.
    sample_weight : ndarray of float64, shape (N,), optional
        How often each row counts where classes are balanced.

    Returns
    -------
    ndarray of float64, shape (classes,), or None

    Raises
    ------
    ArgumentError
        When weights are too many or too few, negative, not finite or all zero, or a class to balance has no row.

    Examples
    --------
    >>> from minibn.data import class_weights
    >>> class_weights([0, 0, 0, 1], 2, "balanced").round(3)
    array([0.667, 2.   ])
    """
    if weight is None:
        return None
    if isinstance(weight, str):
        return _balanced(y, classes, weight, sample_weight)
    values = _mapped(weight, classes) if isinstance(weight, Mapping) else _numbers(weight)
    if values.shape != (classes,):
        raise ArgumentError(
            f"class weights: expected {classes} of them, one a class, got shape {values.shape}"
        )
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise ArgumentError(
            f"class weights: expected finite numbers, none negative and one above 0, got {values.tolist()}"
        )
    return values


def _balanced(y, classes, weight, sample_weight):
    if weight != "balanced":
        raise ArgumentError(f"class weights: expected 'balanced' or one number a class, got {weight!r}")
    counts = np.bincount(y, sample_weight, minlength=classes)
    if len(counts) != classes or not counts.all():
        raise ArgumentError(
            f"class weights: 'balanced' needs rows of each of {classes} classes, got counts {counts.tolist()}"
        )
    return (len(y) if sample_weight is None else sample_weight.sum()) / (classes * counts)


def _mapped(weight, classes):
    unknown = [key for key in weight if key not in range(classes)]
    if unknown:
        raise ArgumentError(f"class weights: expected class indices 0 to {classes - 1}, got {unknown[0]!r}")
    return _numbers([weight.get(k, 1.0) for k in range(classes)])


def _numbers(weight):
    try:
        return np.array(weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"class weights: expected one number a class, got {weight!r}") from None
