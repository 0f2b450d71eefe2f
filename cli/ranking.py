"""Precision-recall curves of trained networks, drawn."""


def plot_curves(models, x, y, labels, positive, paths, title, points=None, arms=None):
    """Draw one precision-recall curve a network over the same rows.

    Parameters
    ----------
    models : dict of str to Sequential
    x : ndarray of float32, shape (N, C)
        Scaled.
    y : ndarray of int64, shape (N,)
    labels : sequence
    positive : object
    paths : sequence of Path
        One file each, of the kind that its ending names.
    title : str
    points : dict of str to tuple of float, optional
        Labelled pairs of precision and recall.
    arms : dict of str to str, optional
        Arm of a network, which has its colour.

    Raises
    ------
    ArgumentError
        When there are not two classes, no row is positive, or a network has no finite scores.
    """
    from minibn.errors import ArgumentError
    from minibn.lab import curve_series, precision_recall_chart, threshold_point
    from minibn.train.judge import log_odds

    from .charts import figure_of, save

    if positive is None:
        raise ArgumentError(
            f"a precision-recall curve needs two classes, got {len(labels)}; leave out the plot"
        )
    true = y == list(labels).index(positive)
    series = [
        curve_series(name, true, log_odds(model, x, labels, positive), (arms or {}).get(name))
        for name, model in models.items()
    ]
    series += [threshold_point(label, *figures) for label, figures in (points or {}).items()]
    figure = figure_of([precision_recall_chart(series, float(true.mean()))], title)
    for path in paths:
        save(figure, path, path.suffix[1:].lower())
