"""The options that train and compare share. None stands for a default that depends on the data."""

import json
import os
from pathlib import Path

import click


def folder_name(context, parameter, value):
    """Refuse an empty name of a folder: it would stand for the current one."""
    if value == "":
        raise click.BadParameter("needs the name of a folder, got an empty one")
    return value


def _checkpoint(context, parameter, value):
    """Refuse an empty name, which would stand for the current folder."""
    if value == "":
        raise click.BadParameter("needs a run folder or its model.safetensors, got an empty name")
    return value


checkpoint_argument = click.argument("checkpoint", type=click.Path(), callback=_checkpoint)


def refuse_target_alone(data, target):
    """Refuse a target column of data that are not given: those of the run have theirs."""
    if target is not None and data is None:
        raise click.UsageError(
            f"--target names a column of --data, got --target {target} alone; add --data, or leave it out"
        )


_OPTIONS = (
    click.option("--data", metavar="NAME|PATH", help="example, example-hard, wine, digits, iris, breast-cancer, or a .csv, .npz or .parquet file.  [default: example]"),
    click.option("--target", metavar="COLUMN", help="Target column of a CSV or Parquet file.  [default: the last]"),
    click.option("--positive", metavar="LABEL", help="Positive class of two.  [default: the second label]"),
    click.option("--drop-duplicates", is_flag=True, default=None, help="Drop repeated rows before the split."),
    click.option("--hidden", type=int, multiple=True, help="Units of a hidden layer; repeat for more layers.  [default: 64; example 10]"),
    click.option("--depth", type=int, help="Number of hidden layers: repeats the last --hidden."),
    click.option("--activation", type=click.Choice(["relu", "sigmoid", "tanh"]), help="[default: relu]"),
    click.option("--epochs", type=int, help="[default: 20; example 5; compare 10]"),
    click.option("--batch-size", type=int, help="At least 2.  [default: 32]"),
    click.option("--optimizer", type=click.Choice(["sgd", "adam"]), help="[default: sgd]"),
    click.option("--lr", type=float, help="Learning rate.  [default: 0.1; example 0.01; adam 0.001]"),
    click.option("--momentum", type=float, help="Momentum of sgd.  [default: 0]"),
    click.option("--weight-decay", type=float, help="L2 penalty on dense weights, not on gamma, beta or biases.  [default: 0]"),
    click.option("--bn-momentum", type=float, help="Weight of the new value in running statistics.  [default: 0.1]"),
    click.option("--bn-eps", type=float, help="Added to the variance.  [default: 1e-5]"),
    click.option("--class-weight", type=click.Choice(["balanced"]), help="Weigh classes in the loss."),
    click.option("--init-scale", type=float, help="Factor on the initial weights.  [default: 1]"),
    click.option("--shift-inputs", type=float, help="Added to the inputs after scaling.  [default: 0]"),
    click.option("--scale", type=click.Choice(["standard", "none"]), help="[default: standard; example none]"),
    click.option("--val-fraction", type=float, help="Share of rows to validate on.  [default: 0.2]"),
    click.option("--early-stopping", type=int, metavar="N", help="Stop after N epochs without a better validation loss; keep the best weights."),
    click.option("--seed", type=int, help="Fixes data, split, initial weights and order.  [default: 0]"),
)  # fmt: skip

_RUN_OPTIONS = (
    click.option("--threads", type=click.IntRange(min=1), help="Threads for large matrix products.  [default: 1]"),
    click.option("--out", type=click.Path(file_okay=False), callback=folder_name, help="Run folder.  [default: runs/<data>-<bn|no-bn>-<seed>-<time>]"),
    click.option("--overwrite", is_flag=True, help="Replace the run in --out."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables."),
)  # fmt: skip

threads_option, _, _, json_option = _RUN_OPTIONS

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="auto is CUDA where it can be used, else the CPU.  [default: cpu]",
)

report_option = click.option(
    "--report",
    "with_page",
    is_flag=True,
    help="Also write report.html into the run folder: the whole answer on one page that needs no other file.",
)


def _stack(options):
    def decorate(function):
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


settings_options = _stack(_OPTIONS)
run_options = _stack(_RUN_OPTIONS)


def settings_options_but(*names):
    """Return a decorator like :func:`settings_options` without the options of some settings."""
    return _stack([option for option in _OPTIONS if _name(option) not in names])


def _name(option):
    def command():
        """Carry the option's parameter."""

    return option(command).__click_params__[0].name


def folder_options(default):
    """Return a decorator for ``--out``, ``--overwrite`` and ``--json``; ``default`` says how a folder is named."""
    text = f"Run folder.  [default: {default}]"
    out = click.option("--out", type=click.Path(file_okay=False), callback=folder_name, help=text)
    return _stack([out, *_RUN_OPTIONS[-2:]])


_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# A thread that sleeps at once takes longer to wake than small arrays to compute; one that spins for long holds up a
# busy machine. 2000 turns of GNU's OpenMP are about fifty microseconds.
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "2000"}


def use_threads(threads=None):
    """Fix the threads of BLAS and OpenMP, 1 where nothing says otherwise; works only before NumPy is imported.

    Returns
    -------
    int
        The threads that BLAS will use.
    """
    if not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)
    for name in _THREADS:
        if threads or not os.environ.get(name, "").isdigit():
            os.environ[name] = str(threads or 1)
    return int(os.environ[_THREADS[0]])


def stored_threads(folder):
    """Return the threads of a saved run, None where they are not known; reads plain JSON, imports nothing."""
    try:
        return json.loads((Path(folder) / "manifest.json").read_text())["threads"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def say_unused(options, experiment):
    """Say on stderr which options given have no effect on these data."""
    from .tables import counted

    if options["val_fraction"] is not None and experiment.settings.val_fraction is None:
        rows = counted(len(experiment.validation_rows), "row")
        name = experiment.dataset.name
        click.echo(
            f"Warning: --val-fraction is not used: {name} brings a validation part of its own ({rows})",
            err=True,
        )


def refuse_batch_norm_options(options):
    """Refuse options of batch norm for a network without it."""
    for name in ("bn_momentum", "bn_eps"):
        if options["bn"] is False and options[name] is not None:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} is an option of batch norm, got --no-bn; leave one of them out")


def settle_device(options):
    """Replace auto by the device that it stands for, and say which; refuse CUDA where it cannot be used.

    Nothing is imported for the CPU.
    """
    if options["device"] in (None, "cpu"):
        return
    from minibn.errors import DeviceError
    from minibn.program import devices

    missing = devices.what_is_missing()
    if missing and options["device"] == "cuda":
        raise DeviceError(missing)
    if options["device"] == "auto":
        options["device"] = "cpu" if missing else "cuda"
        why = f": {missing.removeprefix(devices.CANNOT)}" if missing else ""
        click.echo(f"device auto is {options['device']}{why}", err=True)


def compile_on_two_cores(device=None, resume=None):
    """Where nothing is compiled yet, have a second process compile a part of what training on the CPU needs.

    Not for a run that is resumed, which is rarely the first, and may be one on CUDA.
    """
    if device in (None, "cpu") and not resume:
        from minibn.program import second_compiler

        second_compiler.start()


def settings_from(options, **defaults):
    """Return resolved Settings from the options that were given."""
    from minibn.train import Settings

    given = {name: value for name, value in options.items() if value not in (None, ())}
    return Settings(**defaults | given).resolved()
