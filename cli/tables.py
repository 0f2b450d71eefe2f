"""Results as text."""

import click

from . import documents


def number(value, digits=4):
    """Return a figure with fixed digits, ``-`` for none."""
    return "-" if value is None else f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.3g}"


def table(head, rows):
    """Return right-aligned columns under their heads."""
    cells = [list(map(str, head)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(head))]
    return "\n".join(
        "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def counted(count, noun):
    """Return a number of things in words: ``1 row``, ``2 rows``."""
    return f"{count} {noun if count == 1 else noun + 's'}"


def short(text, most=24):
    """Return a text with its middle left out where it is long."""
    text, half = str(text), (most - 3) // 2
    return text if len(text) <= most else f"{text[: most - 3 - half]}...{text[len(text) - half :]}"


def heading(text):
    """Print a heading after an empty line."""
    click.echo("")
    click.secho(text, bold=True)


def describe(experiment, title, threads):
    """Print what will be trained on what: the resolved values."""
    click.secho(f"{experiment.dataset.name}, {title}", bold=True)
    for name, words in conditions(experiment).items():
        more = f", seed {experiment.settings.seed}, threads {threads}" if name == "training" else ""
        click.echo(f"{'' if name == 'duplicates' else name:<9} {words}{more}")


def conditions(experiment):
    """Return what is trained on what, in words."""
    told = {"data": _data(experiment)}
    if experiment.duplicates:
        told["duplicates"] = _duplicates(experiment)
    told |= {"network": _network(experiment), "training": _training(experiment.settings)}
    return told if experiment.settings.device == "cpu" else told | {"device": _device(experiment.settings)}


def _device(settings):
    from minibn.program.devices import simulated

    return f"{settings.device}, simulated by Python" if simulated() else settings.device


def _data(experiment):
    s, dataset = experiment.settings, experiment.dataset
    part = "given" if s.val_fraction is None else f"fraction {s.val_fraction:g}"
    rows = f"{len(experiment.y_train)} training and {counted(len(experiment.y_validation), 'validation row')} ({part})"
    shift = f", inputs shifted by {s.shift_inputs:g}" if s.shift_inputs else ""
    return f"{rows}, {counted(dataset.x.shape[1], 'feature')}, {len(dataset.labels)} classes, scale {s.scale}{shift}"


def _network(experiment):
    s, dataset = experiment.settings, experiment.dataset
    sizes = " - ".join(map(str, [dataset.x.shape[1], *_hidden(s.hidden), len(dataset.labels)]))
    norm = f", batch norm momentum {s.bn_momentum:g} eps {s.bn_eps:g}" if s.bn else ""
    scaled = f", weights scaled by {s.init_scale:g}" if s.init_scale != 1 else ""
    return f"{sizes}, {s.activation}{norm}{scaled}"


def _hidden(sizes, most=10):
    if len(sizes) <= most:
        return sizes
    return [*sizes[:3], f"... ({len(sizes)} hidden layers) ...", *sizes[-2:]]


def _training(settings):
    s = settings
    named = ("momentum", "weight_decay", "class_weight", "early_stopping")
    extras = "".join(f", {name.replace('_', ' ')} {getattr(s, name)}" for name in named if getattr(s, name))
    return (
        f"{counted(s.epochs, 'epoch')}, batch {s.batch_size}, {s.optimizer}, learning rate {s.lr:g}{extras}"
    )


def _duplicates(experiment):
    if experiment.settings.drop_duplicates:
        return f"{counted(experiment.duplicates, 'duplicate row')} dropped before the split"
    repeat = "row repeats" if experiment.duplicates == 1 else "rows repeat"
    return (
        f"{experiment.duplicates} {repeat} an earlier one and may stand on both sides of the split; "
        "--drop-duplicates drops what repeats"
    )


def epoch_table(records, with_documents=False):
    """Return the table of epochs, with the documents' row beside ours where asked."""
    head = ["epoch", "train loss", "train acc", "train loss (eval)", "val loss", "val acc"]
    head += ["documents: loss", "acc"] if with_documents else []
    return table(head, [_epoch_row(record, with_documents) for record in records])


def _epoch_row(record, with_documents):
    row = [
        record.epoch,
        number(record.train_loss),
        number(record.train_accuracy),
        number(record.train_loss_eval),
    ]
    row += [number(record.val_loss), number(record.val_accuracy)]
    if with_documents:
        known = record.epoch <= len(documents.TRACE_LOSS)
        row.append(number(documents.TRACE_LOSS[record.epoch - 1], 2) if known else "-")
        row.append(number(documents.TRACE_ACCURACY[record.epoch - 1], 2) if known else "-")
    return row


def failure_line(failed):
    """Return one line that says where the loss stopped being finite."""
    return f"diverged: the loss was not finite at epoch {failed['epoch']}, step {failed['step']}, first in {failed['layer']}"


def metric_lines(final):
    """Return the headline metrics, the baseline beside accuracy."""
    kind = "macro averages" if final["positive"] is None else f"positive class {short(final['positive'])}"
    lines = (
        f"accuracy           {number(final['accuracy'])}   (always the largest class: {number(final['majority_baseline'])})",
        f"balanced accuracy  {number(final['balanced_accuracy'])}",
        f"precision          {number(final['precision'])}   ({kind})",
        f"recall             {number(final['recall'])}",
        f"F1                 {number(final['f1'])}",
        f"MCC                {number(final['mcc'])}",
    )  # fmt: skip
    return "\n".join((*lines, *_ranked_lines(final)))


def _ranked_lines(final):
    """Return the average precision of two classes, with what scores without information would get."""
    if final.get("prevalence") is None:
        return ()
    value, coin = number(final["average_precision"]), number(final["prevalence"])
    return (
        f"average precision  {value}   (over all thresholds; a coin: {coin}, the share of positive rows)",
    )


_MOST_CLASSES, _WIDTH = 12, 108


def _shown(count):
    """Return the classes that tables show, None where some are left out."""
    half = _MOST_CLASSES // 2
    return list(range(count)) if count <= _MOST_CLASSES else [*range(half), None, *range(count - half, count)]


def _class_table(head, rows):
    """Return a table with one row a class, and a note where classes are left out."""
    body = [["..."] * len(head) if k is None else rows[k] for k in _shown(len(rows))]
    note = f"\n{_MOST_CLASSES} of {len(rows)} classes are shown; --json prints all"
    return table(head, body) + (note if len(rows) > _MOST_CLASSES else "")


def _alike(names):
    return len(set(names)) < len(names)


def _numbered(names):
    return [f"#{k} {name}" for k, name in enumerate(names, 1)]


def confusion_table(final):
    """Return the confusion matrix: rows true, columns predicted."""
    labels, shown = final["labels"], _shown(len(final["labels"]))
    width = max(5, _WIDTH // len(shown) - 2)
    heads, names = [short(label, width) for label in labels], [short(label) for label in labels]
    if _alike(heads):  # a number leads from a column to its row
        heads, names = [f"#{k}" for k in range(1, len(labels) + 1)], _numbered(names)
    rows = [
        [name, *("..." if k is None else counts[k] for k in shown)]
        for name, counts in zip(names, final["confusion_matrix"], strict=True)
    ]
    return _class_table(["true \\ predicted", *("..." if k is None else heads[k] for k in shown)], rows)


def per_class_table(final):
    """Return precision, recall, F1 and support of each class."""
    names = [short(row["label"]) for row in final["per_class"]]
    rows = [
        [name, number(row["precision"]), number(row["recall"]), number(row["f1"]), row["support"]]
        for name, row in zip(_numbered(names) if _alike(names) else names, final["per_class"], strict=True)
    ]
    return _class_table(["class", "precision", "recall", "F1", "rows"], rows)


def print_final(final, where):
    """Print metrics, confusion matrix and per-class figures."""
    heading(f"{where}, in evaluation mode")
    click.echo(metric_lines(final))
    heading("confusion matrix (rows true, columns predicted)")
    click.echo(confusion_table(final))
    heading("per class")
    click.echo(per_class_table(final))


def print_files(files):
    """Print where things were written."""
    heading("files")
    for role, path in files.items():
        click.echo(f"{role:<9} {path}")
