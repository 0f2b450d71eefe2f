"""``minibn lr-find``."""

import click

from .lab_report import finish, seeds_options
from .options import (
    compile_on_two_cores,
    folder_options,
    refuse_batch_norm_options,
    report_option,
    settings_options_but,
    use_threads,
)

_UNUSED = ("lr", "epochs", "early_stopping", "seed")


@click.command("lr-find")
@click.option("--bn/--no-bn", default=None, help="Only with or without batch norm.  [default: both]")
@settings_options_but(*_UNUSED)
@click.option("--low", type=float, default=1e-4, show_default=True, help="Rate of the first step.")
@click.option("--high", type=float, default=100.0, show_default=True, help="Rate of the last step.")
@click.option("--steps", type=int, default=300, show_default=True, help="Steps, at least 20.")
@seeds_options(5)
@report_option
@folder_options("runs/<data>-lr-find-<seed>-<time>")
def lr_find(bn, low, high, steps, seeds, seed, out, overwrite, as_json, with_page, **options):
    """Find learning rates to start from, with and without batch norm.

    The rate rises geometrically, step by step, while a network trains. Suggested are the rate at which the loss
    falls fastest and the largest one before it climbs again. Both are starting points, not tuned rates.
    """
    use_threads()
    refuse_batch_norm_options({"bn": bn, **options})
    from pathlib import Path

    from minibn.lab import lr_find as find
    from minibn.train import Settings

    from .progress import announce_compilation
    from .runs import check_folder, open_folder

    if out:
        check_folder(out, overwrite)
    announce_compilation()
    compile_on_two_cores()
    given = {name: value for name, value in options.items() if value not in (None, ())}
    arms = (True, False) if bn is None else (bn,)
    seeds = range(seed, seed + seeds)
    report = find(Settings(**given), arms=arms, seeds=seeds, low=low, high=high, steps=steps)
    name = Path(options["data"] or "example").stem
    folder = open_folder(out, overwrite, f"{name}-lr-find-{seed}")
    finish("lr-find", report, folder, as_json, with_page)
