"""``minibn train``."""

import click

from .options import (
    compile_on_two_cores,
    device_option,
    folder_name,
    refuse_batch_norm_options,
    run_options,
    say_unused,
    settings_from,
    settings_options,
    settle_device,
    stored_threads,
    use_threads,
)


@click.command()
@click.option("--bn/--no-bn", default=None, help="With or without batch norm.  [default: --bn]")
@settings_options
@device_option
@click.option(
    "--threshold-for",
    metavar="GOAL",
    help="recall=VALUE, precision=VALUE or f1: after training, search the threshold between two classes that "
    "reaches it, on the validation rows; evaluate and predict use it.",
)
@click.option(
    "--compare-class-weight",
    is_flag=True,
    help="Train also with --class-weight balanced (or without, where it is given), and show both.",
)
@click.option(
    "--resume",
    type=click.Path(file_okay=False),
    callback=folder_name,
    help="Continue the run in this folder, with its stored options; --epochs is the new total.",
)
@run_options
@click.pass_context
def train(context, compare_class_weight, resume, out, overwrite, as_json, threads, **options):
    """Train a network and report every epoch.

    Writes checkpoints, metrics, plots and a manifest to a run folder.
    """
    threads = use_threads(threads or (stored_threads(resume) if resume else None))
    from .progress import announce_compilation

    announce_compilation()
    settle_device(options)
    compile_on_two_cores(options["device"], resume)
    if resume:
        experiment, folder, done = _resumed(context, resume, options["epochs"], options["device"])
    else:
        experiment, folder, done = _fresh(options, out, overwrite, threads)
    beside = None
    if compare_class_weight:
        from .beside import Beside

        beside = Beside(experiment, folder, threads)
    report = _train(experiment, folder, done, threads, as_json, beside)
    if "failed" in report:
        raise click.ClickException(_failure(report["failed"], report["config"]["bn"]))


def _failure(failed, bn):
    from .tables import failure_line

    remedy = "lower --lr or scale the inputs" if bn else "lower --lr, scale the inputs, or train with --bn"
    return f"{failure_line(failed)}; {remedy}"


def _fresh(options, out, overwrite, threads):
    from minibn.train import prepare

    from .runs import open_folder, write_manifest

    refuse_batch_norm_options(options)
    settings = settings_from(options)
    experiment = prepare(settings)
    say_unused(options, experiment)
    arm = "bn" if settings.bn else "no-bn"
    folder = open_folder(out, overwrite, f"{experiment.dataset.name}-{arm}-{settings.seed}")
    write_manifest(folder, experiment, threads)
    return experiment, folder, None


_WITH_RESUME = {"resume", "epochs", "device", "as_json", "threads"}


def _resumed(context, resume, epochs, device):
    from dataclasses import replace
    from pathlib import Path

    from minibn.errors import DataError
    from minibn.train import Settings, prepare

    from .runs import is_comparison, read_manifest

    _only_epochs(context)
    manifest = read_manifest(resume)
    if is_comparison(resume):
        raise click.UsageError(
            f"{resume} holds a comparison, which cannot be resumed; run minibn compare again"
        )
    settings = Settings.from_dict(manifest["settings"])
    if Path(settings.data).suffix and not Path(settings.data).exists():
        raise DataError(
            f"the data of this run are no longer at {settings.data}; put the file back to continue"
        )
    settings = replace(settings, device=device or settings.device)
    experiment = prepare(replace(settings, epochs=settings.epochs if epochs is None else epochs))
    if experiment.digest != manifest["data"]["sha256"]:
        raise DataError(
            f"{settings.data} is not the data that {resume} was trained on; restore the file or train anew"
        )
    return experiment, Path(resume), _history(Path(resume), experiment.settings.epochs)


def _history(folder, epochs):
    """Return the epochs that are done, None for a run killed in its first epoch, which starts again."""
    from minibn.train.checkpoint import TRAINING_FILE, load_history

    if not (folder / TRAINING_FILE).exists():
        return None
    history = load_history(folder)
    if len(history) > epochs:
        raise click.UsageError(
            f"--epochs is the total and must be at least the {len(history)} done, got {epochs}"
        )
    return history


def _only_epochs(context):
    """Refuse options that a resumed run takes from its manifest."""
    given = click.core.ParameterSource.COMMANDLINE
    for name in context.params:
        if name not in _WITH_RESUME and context.get_parameter_source(name) == given:
            flag = {"bn": "bn/--no-bn"}.get(name, name.replace("_", "-"))
            raise click.UsageError(
                f"--resume continues with the stored options, got --{flag}; only --epochs may change, and --device"
            )


def _train(experiment, folder, done, threads, as_json, beside):
    from .files import write_plots
    from .report import print_json, run_report
    from .runs import METRICS, write_json
    from .threshold import search_and_store

    if not as_json:
        _describe(experiment, threads, beside)
    outcome = _interruptible(experiment, folder, done)
    threshold = None
    if experiment.settings.threshold_for and not outcome.failed:
        threshold = search_and_store(experiment, outcome.model, folder)
    if beside:
        beside.train()
    if not as_json:
        _print_outcome(experiment, outcome, threshold)
        if beside:
            beside.print(outcome, threshold)
    files = write_plots(experiment, outcome, threshold, folder, beside)
    report = run_report("train", experiment, outcome, files, threads)
    report |= {"threshold": threshold} if threshold else {}
    report |= {"beside": beside.report()} if beside else {}
    write_json(folder / METRICS, report)
    if as_json:
        print_json(report)
    else:
        from .tables import print_files

        print_files(files)
    return report


def _describe(experiment, threads, beside):
    from .beside import hint
    from .files import arm_name
    from .tables import describe

    describe(experiment, arm_name(experiment), threads)
    line = None if beside else hint(experiment)
    if line:
        click.echo(f"note      {line}")


def _interruptible(experiment, folder, done):
    import shlex

    from .arm import run_arm
    from .interrupt import Interrupted

    try:
        return run_arm(experiment, folder, done)
    except KeyboardInterrupt:
        command = shlex.join(["minibn", "train", "--resume", str(folder)])
        raise Interrupted(f"interrupted; to continue: {command}") from None


def _print_outcome(experiment, outcome, threshold):
    from . import documents
    from .chart import loss_chart
    from .tables import counted, epoch_table, failure_line, heading, print_final

    heading("epochs (train loss and acc are running means in training mode)")
    known = documents.belong_to(experiment.settings)
    click.echo(epoch_table(outcome.records, known))
    if known:
        click.echo(documents.TRACE_NOTE)
    if outcome.best_epoch is not None:
        click.echo(f"kept the weights of epoch {outcome.best_epoch}, the lowest validation loss")
    chart = loss_chart({"*": [record.train_loss for record in outcome.records]})
    if chart:
        heading("training loss")
        click.echo(chart)
    if outcome.failed:
        heading(failure_line(outcome.failed))
    else:
        print_final(outcome.final, counted(len(experiment.y_validation), "validation row"))
    if threshold:
        from .threshold import print_searched

        print_searched(threshold, experiment.positive)
