"""What a trained network is worth on some rows."""

import numpy as np

from minibn.metrics import average_precision, confusion_matrix, summarize, threshold_for


def judge(model, x, y, labels, positive=None, threshold=None):
    """Return the metrics of a model on some rows, in evaluation mode.

    Parameters
    ----------
    model : Sequential
    x : ndarray, shape (N, C)
    y : ndarray of int64, shape (N,)
        Class indices.
    labels : sequence
        Names of the classes.
    positive : object, optional
        Of two classes, the one whose figures are the headline; the second where None.
    threshold : float, optional
        Of two classes, the positive one is predicted where its probability is at least this; where None, the more
        probable one.

    Returns
    -------
    dict
        As :func:`minibn.metrics.summarize` returns, with ``prevalence``, the share of the positive class, and
        ``average_precision`` of its log-odds. Both are None unless there are two classes, the latter also
        where no row is positive or one is not finite.
    """
    positive = checked_positive(labels, positive)
    predicted = model.predict(x)
    ranked = {"average_precision": None, "prevalence": None}
    if positive is not None:
        index, scores = list(labels).index(positive), log_odds(model, x, labels, positive)
        ranked = _ranked(y == index, scores)
        if threshold is not None:
            predicted = np.where(probability(scores) >= threshold, index, 1 - index)
    matrix = confusion_matrix(y, predicted, len(labels))
    return summarize(matrix, labels=labels, positive=positive) | ranked


def _ranked(positive, scores):
    known = positive.any() and np.isfinite(scores).all()
    return {
        "average_precision": average_precision(positive, scores) if known else None,
        "prevalence": float(positive.mean()),
    }


def log_odds(model, x, labels, positive=None):
    """Return the logarithm of the odds of the positive class of two, in evaluation mode.

    It ranks rows as their probability does, but without the ties of those that round to 1.

    Parameters
    ----------
    model : Sequential
    x : ndarray, shape (N, C)
    labels : sequence
        Names of the two classes.
    positive : object, optional
        The second where None.

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    index = list(labels).index(checked_positive(labels, positive))
    logits = model.logits(x).astype(np.float64)
    return logits[:, index] - logits[:, 1 - index]


def probability(odds):
    """Return the float64 probabilities of logarithms of odds: a threshold on them is exact near 0 and near 1."""
    return np.exp(-np.logaddexp(0.0, -odds))


def search_threshold(model, experiment, goal=None):
    """Search the threshold between two classes that reaches a goal, on the validation part alone.

    Training rows flatter, and test rows would be spent: the figures of a threshold are honest only on rows that
    neither trained the model nor chose it.

    Parameters
    ----------
    model : Sequential
        Trained on the experiment.
    experiment : Experiment
        Of two classes.
    goal : str, optional
        See :func:`minibn.metrics.threshold_for`; that of the settings where None.

    Returns
    -------
    minibn.metrics.Threshold

    Raises
    ------
    ArgumentError
        When no threshold reaches the goal.
    """
    labels, positive = experiment.dataset.labels, experiment.positive
    scores = probability(log_odds(model, experiment.x_validation, labels, positive))
    is_positive = experiment.y_validation == list(labels).index(positive)
    return threshold_for(is_positive, scores, goal or experiment.settings.threshold_for)


def checked_positive(labels, text):
    """Return the positive label named by the user, or the default of two classes; None for more.

    Raises
    ------
    ArgumentError
    """
    return summarize(np.eye(len(labels), dtype=np.int64), labels=labels, positive=text)["positive"]
