"""Progress on stderr: a bar on a terminal, one plain line per epoch elsewhere."""

import sys
import time
from contextlib import contextmanager
from itertools import count

import click


def announce_compilation():
    """Say once on stderr that kernels are being compiled, when the first one is."""
    from minibn.kernels import on_compile

    said = []

    def listener(name):
        if not said:
            said.append(name)
            click.echo("compiling kernels (first run only; cached for the next) ...", err=True)

    on_compile(listener)


def follow(records, total, label, done=0):
    """Yield records as they come and show how far the run is.

    Parameters
    ----------
    records : iterable of EpochRecord
    total : int
        Epochs of the whole run.
    label : str
    done : int
        Epochs that a resumed run already had.
    """
    if not sys.stderr.isatty():
        for record in records:
            click.echo(
                f"{label}: epoch {record.epoch}/{total}, {_figures(record)}, {record.seconds:.2f} s", err=True
            )
            yield record
        return
    with click.progressbar(length=total, label=label, file=sys.stderr, item_show_func=lambda s: s) as bar:
        bar.update(done)
        for record in records:
            bar.update(1, _figures(record))
            yield record


def _figures(record):
    validation = "" if record.val_loss is None else f", validation {record.val_loss:.4f}"
    return f"loss {record.train_loss:.4f}{validation}"


_PAUSE = 2.0  # seconds between lines where there is no terminal


@contextmanager
def many_runs(total, label):
    """Show how far a number of runs is, by a bar on a terminal and a line now and then elsewhere.

    Parameters
    ----------
    total : int
    label : str

    Yields
    ------
    callable
        To call before each run, with any arguments.
    """
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield lambda *_: bar.update(1)
        return
    started, shown = count(1), [0.0]

    def tell(*_):
        number, now = next(started), time.monotonic()
        if now - shown[0] >= _PAUSE:
            shown[0] = now
            click.echo(f"{label}: run {number} of {total}", err=True)

    yield tell


def counter(label, noun):
    """Return a function of (done, total) that shows how far a task of many equal parts is: ten lines, or a bar."""
    shown: dict = {}

    def plain(done, total):
        tenth = 10 * done // total
        if tenth > shown.get("tenth", -1):
            shown["tenth"] = tenth
            click.echo(f"{label}: {done}/{total} {noun}", err=True)

    def bar(done, total):
        if "bar" not in shown:
            shown["bar"] = click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True)
        shown["bar"].update(done - shown["bar"].pos)
        if done == total:
            shown["bar"].render_finish()

    return bar if sys.stderr.isatty() else plain
