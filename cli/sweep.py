"""``minibn sweep``."""

from contextlib import nullcontext

import click

from .axes import Values
from .lab_report import finish, seeds_options
from .options import (
    compile_on_two_cores,
    device_option,
    folder_name,
    folder_options,
    report_option,
    settings_options_but,
    settle_device,
    use_threads,
)

TRIALS = "trials.jsonl"
_KINDS = {
    "lr": float,
    "batch_size": int,
    "depth": int,
    "hidden": int,
    "init_scale": float,
    "activation": str,
    "momentum": float,
}
_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_ADAM_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
_WITH_RESUME = {"resume", "jobs", "dask", "mpi", "as_json", "with_page"}


@click.command()
@settings_options_but("epochs", "seed", *_KINDS)
@click.option("--epochs", type=int, default=10, show_default=True)
@click.option(
    "--lr", type=Values(float), help="Learning rates.  [default: 0.003 to 10 if nothing else is varied]"
)
@click.option("--batch-size", type=Values(int), help="Batch sizes, at least 2.")
@click.option("--depth", type=Values(int), help="Numbers of hidden layers: each repeats the last --hidden.")
@click.option(
    "--hidden",
    type=Values(int),
    multiple=True,
    help="Widths of the hidden layers. Repeat with one number each for layers of fixed sizes.",
)
@click.option("--init-scale", type=Values(float), help="Factors on the initial weights.")
@click.option("--activation", type=Values(str), help="relu, sigmoid, tanh.")
@click.option("--momentum", type=Values(float), help="Momenta of sgd.")
@device_option
@seeds_options(10)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Processes.  [default: this one, or one a core for more than 15 s of work]",
)
@click.option("--dask", metavar="ADDRESS", help="Run on a dask cluster, e.g. tcp://host:8786.")
@click.option(
    "--mpi",
    is_flag=True,
    help="Run on the processes of mpiexec -n N python -m mpi4py.futures -m minibn_cli sweep ... --mpi.",
)
@click.option(
    "--resume",
    type=click.Path(file_okay=False),
    callback=folder_name,
    help="Continue the sweep in this folder, with its stored options.",
)
@report_option
@folder_options("runs/<data>-sweep-<seed>-<time>")
@click.pass_context
def sweep(context, seeds, seed, jobs, dask, mpi, resume, out, overwrite, as_json, with_page, **options):
    """Train over a grid of settings, with and without batch norm, and say where it makes a difference.

    A LIST is separated by commas, and 0.01..1:5 in it stands for 5 values at equal ratios. What has several values
    is varied, what has one is fixed. An interrupted sweep is continued by the same command with the same --out, or by
    --resume. Results stand in trials.jsonl as they come.
    """
    use_threads(1)
    from .progress import announce_compilation

    announce_compilation()
    settle_device(options)
    compile_on_two_cores(options["device"], resume)
    grid = _stored(context, resume) if resume else _grid(options, range(seed, seed + seeds))
    from minibn.lab.sweeps.sweep import look

    first = look(grid)
    with _place(jobs, dask, mpi) as (executor, workers):
        folder = _folder(resume or out, overwrite, f"{first.dataset.name}-sweep-{grid.seeds[0]}")
        where = {"jobs": jobs, "executor": executor, "workers": workers}
        report = _interruptible(grid, folder, first, where)
    finish(
        "sweep", report, folder, as_json, with_page, config=grid.to_dict(), files={"trials": folder / TRIALS}
    )


def _grid(options, seeds):
    """Return the grid of the options given: several values make an axis, one is a setting."""
    from minibn.lab import Grid
    from minibn.train import Settings

    given = {name: value for name, value in options.items() if value not in (None, ())}
    lists = {name: given.pop(name) for name in _KINDS if name in given}
    layers = lists.pop("hidden", ())
    if len(layers) > 1 and any(len(values) > 1 for values in layers):
        raise click.UsageError(
            f"--hidden: give one list of widths, or one number for each layer, got {len(layers)} lists"
        )
    axes = {name: values for name, values in lists.items() if len(values) > 1}
    fixed = {name: values[0] for name, values in lists.items() if len(values) == 1}
    if len(layers) == 1 and len(layers[0]) > 1:
        axes["hidden"] = layers[0]
    elif layers:
        fixed["hidden"] = tuple(values[0] for values in layers)
    if not axes:
        axes["lr"] = (fixed.pop("lr"),) if "lr" in fixed else _rates(given)
    settings = Settings(**given | fixed)
    return Grid(settings, {name: axes[name] for name in _KINDS if name in axes}, tuple(seeds))


def _rates(given):
    return _ADAM_RATES if given.get("optimizer") == "adam" else _RATES


def _stored(context, folder):
    """Return the grid of the sweep in a folder; every other option is stored there too."""
    from pathlib import Path

    from minibn.lab.sweeps.trial_file import stored_grid

    given = click.core.ParameterSource.COMMANDLINE
    for name in context.params:
        if name not in _WITH_RESUME and context.get_parameter_source(name) == given:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--resume continues with the stored options, got --{flag}; leave it out")
    return stored_grid(Path(folder) / TRIALS)


def _place(jobs, dask, mpi):
    """Return a context manager that gives an executor, or None for processes of this machine, and its workers."""
    if (jobs is not None) + (dask is not None) + mpi > 1:
        raise click.UsageError("--jobs, --dask and --mpi exclude each other; give one")
    if dask is None and not mpi:
        return nullcontext((None, 1))
    from minibn.lab.sweeps.executors import dask_cluster, mpi_pool

    return mpi_pool() if mpi else dask_cluster(dask)


def _folder(out, overwrite, default_name):
    """Return the folder of a new sweep, or the given one where it holds a sweep to continue."""
    from pathlib import Path

    from minibn.lab.sweeps.lock import alone

    from .runs import open_folder

    if out and not overwrite and (Path(out) / TRIALS).exists():
        return Path(out)
    if out and overwrite:
        with alone(Path(out) / TRIALS):  # before its files are removed
            pass
    return open_folder(out, overwrite, default_name)


def _interruptible(grid, folder, first, where):
    import shlex

    from minibn.errors import WorkerError
    from minibn.lab import sweep as run_sweep

    from .interrupt import Interrupted
    from .progress import counter

    command = shlex.join(["minibn", "sweep", "--resume", str(folder)])
    try:
        progress = counter("sweep", "trainings")
        return run_sweep(grid, folder / TRIALS, progress=progress, first=first, **where)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; to continue: {command}") from None
    except WorkerError as error:
        raise click.ClickException(f"{error}; to continue: {command}") from error
