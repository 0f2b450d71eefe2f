"""Plots of runs as PNG and SVG. matplotlib is imported only when one is drawn."""

from . import documents

_COLORS = {"with batch norm": "#0b6e99", "without batch norm": "#c4501b"}
_GREY = "#666666"
# Fixed, since asking matplotlib for a layout draws every figure twice. Room for labels such as 0.00012 or 10^-3.
_MARGINS = {"left": 0.08, "right": 0.99, "bottom": 0.125, "top": 0.92, "wspace": 0.19}
# Compressed harder, the PNG would be a tenth smaller and take twice as long.
_SAVING = {"svg": {"metadata": {"Date": None}}, "png": {"pil_kwargs": {"compress_level": 3}}}


def _figure(title):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2))
    figure.suptitle(title, fontsize=12)
    axes = figure.subplots(1, 2, gridspec_kw=_MARGINS)
    for axis, label in zip(axes, ("loss (nats)", "accuracy"), strict=True):
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.grid(alpha=0.25)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    return figure, axes


def _save(figure, axes, folder, name):
    import matplotlib

    for axis in axes:
        axis.legend(fontsize=8, frameon=False)
        if not any(len(line.get_xdata()) for line in axis.lines):
            axis.text(0.5, 0.4, "no epoch was completed", transform=axis.transAxes, ha="center", color=_GREY)
            axis.set_xticks([])
            axis.set_yticks([])
    files = {}
    with matplotlib.rc_context({"svg.hashsalt": "minibn"}):
        for kind in ("png", "svg"):
            files[f"plot_{kind}"] = folder / f"{name}.{kind}"
            figure.savefig(files[f"plot_{kind}"], dpi=150, **_SAVING[kind])
    return files


def _draw(axis, records, figure, label, color, style="-"):
    points = [(r.epoch, getattr(r, figure)) for r in records if getattr(r, figure) is not None]
    marker = "o" if len(points) <= 20 else None
    x, y = zip(*points, strict=True) if points else ((), ())
    axis.plot(x, y, style, color=color, label=label, marker=marker, markersize=3.5)


def _limit(axis, records):
    """Keep a diverging run from flattening everything else: a logarithmic axis where losses span decades."""
    losses = [v for r in records for v in (r.train_loss, r.train_loss_eval, r.val_loss) if v]
    if losses and max(losses) > 100 * min(losses):
        axis.set_yscale("log")


def plot_epochs(records, folder, title, with_documents):
    """Draw loss and accuracy of one run against epoch.

    Parameters
    ----------
    records : sequence of EpochRecord
    folder : Path
    title : str
    with_documents : bool
        Draw the documents' trace too.

    Returns
    -------
    dict of str to Path
    """
    figure, (loss, accuracy) = _figure(title)
    color, other = _COLORS["with batch norm"], _COLORS["without batch norm"]
    _draw(loss, records, "train_loss", "training, running mean", color)
    _draw(loss, records, "train_loss_eval", "training, evaluation mode", color, "--")
    _draw(loss, records, "val_loss", "validation", other)
    _draw(accuracy, records, "train_accuracy", "training, running mean", color)
    _draw(accuracy, records, "val_accuracy", "validation", other)
    if with_documents:
        epochs = range(1, 1 + len(documents.TRACE_LOSS))
        loss.plot(epochs, documents.TRACE_LOSS, ":", color=_GREY, label="documents (illustration)")
        accuracy.plot(epochs, documents.TRACE_ACCURACY, ":", color=_GREY, label="documents (illustration)")
    _limit(loss, records)
    return _save(figure, (loss, accuracy), folder, "epochs")
