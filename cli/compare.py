"""``minibn compare``."""

from dataclasses import replace
from pathlib import Path

import click

from .options import (
    compile_on_two_cores,
    device_option,
    report_option,
    run_options,
    say_unused,
    settings_from,
    settings_options,
    settle_device,
    use_threads,
)

_KEYS = {"with batch norm": "with_bn", "without batch norm": "without_bn"}


@click.command()
@settings_options
@device_option
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Pairs of runs, from --seed on; 1 for the plain comparison.",
)
@click.option(
    "--tune-lr", is_flag=True, help="Also give each arm its own learning rate, tuned on other seeds."
)
@report_option
@run_options
def compare(out, overwrite, as_json, threads, seeds, tune_lr, with_page, **options):
    """Train with and without batch norm and say what it changes.

    Both runs of a seed share data, split, initial weights and batch order; the difference of validation accuracy
    comes with a 95 % interval and a verdict: helps, hurts, no difference (less than a point), cannot tell. A run
    that diverges is a result: it counts as the majority baseline.
    """
    threads = use_threads(threads)
    from minibn.lab import comparison_report
    from minibn.train import prepare

    from .progress import announce_compilation
    from .runs import METRICS, open_folder, write_json, write_manifest

    announce_compilation()
    settle_device(options)
    compile_on_two_cores(options["device"])
    experiment = prepare(settings_from(options, epochs=10))
    say_unused(options, experiment)
    settings, name = experiment.settings, experiment.dataset.name
    folder = open_folder(out, overwrite or _unfinished(out), f"{name}-compare-{settings.seed}")
    manifest = write_manifest(folder, experiment, threads, "compare")
    if not as_json:
        from .tables import describe

        describe(experiment, "with and without batch norm", threads)
    chosen = range(settings.seed, settings.seed + seeds)
    comparison = _compared(settings, chosen, "comparing", folders=_subfolders(folder))
    tuned, tuning = _tuned(settings, chosen) if tune_lr else (None, None)
    result = comparison_report(comparison, settings, tuned, tuning)
    result = replace(result, title=f"{name}, {result.title}", conditions=_conditions(experiment, chosen))
    files = {"folder": folder, "manifest": manifest, "metrics": folder / METRICS} | _pictures(
        result, folder, with_page
    )
    report = _report(experiment, comparison, result, folder, threads)
    report["files"] = {role: str(path) for role, path in files.items()}
    write_json(folder / METRICS, report)
    if as_json:
        from .report import print_json

        print_json(report)
    else:
        from .compare_text import print_comparison
        from .tables import print_files

        print_comparison(experiment, comparison, result)
        print_files(report["files"])


def _pictures(result, folder, with_page):
    """Draw the charts, write the page where it is asked for, and return the files by role."""
    from .charts import draw

    files = draw(result.charts, folder, "compare", result.title)
    if with_page:
        from .page import write_page

        files["page"] = write_page(result, folder)
    return files


def _conditions(experiment, seeds):
    from .tables import conditions

    return conditions(experiment) | {"seeds": f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else seeds[0]}


def _unfinished(out):
    """Say whether a folder holds a comparison that was interrupted: it begins again, so nothing is lost."""
    from .runs import METRICS, is_comparison

    return bool(out) and is_comparison(out) and not (Path(out) / METRICS).exists()


def _subfolders(folder):
    return {arm: folder / key.replace("_", "-") for arm, key in _KEYS.items()}


def _compared(settings, seeds, label, **options):
    """Run all pairs; a single pair shows its epochs, several show how many are done."""
    from minibn.lab import Comparison, pairs

    from .progress import follow, many_runs

    if len(seeds) == 1:

        def watch(arm, experiment):
            return lambda epochs: follow(epochs, experiment.settings.epochs, arm)

        return Comparison(tuple(pairs(settings, seeds, watch=watch, **options)))
    with many_runs(2 * len(seeds), label) as watch:
        return Comparison(tuple(pairs(settings, seeds, watch=watch, **options)))


def _tuned(settings, seeds):
    from minibn.lab import tune
    from minibn.lab.comparison.tuning import RATES, SEEDS

    from .progress import many_runs

    with many_runs(2 * SEEDS * len(RATES[settings.optimizer]), "tuning learning rates") as watch:
        tuning = tune(settings, seeds, watch=watch)
    return _compared(settings, seeds, "comparing at tuned rates", rates=tuning.rates), tuning


def _report(experiment, comparison, result, folder, threads):
    """Return the JSON object: the runs of the first seed whole, of all seeds what was compared."""
    from minibn.train import with_arm

    from .arm import checkpoint_files
    from .report import finite, run_report

    report = {"command": "compare", "config": None}
    for arm, outcome in comparison.pairs[0].outcomes.items():
        own = _subfolders(folder)[arm]
        files = {"folder": own, **checkpoint_files(own)}
        bn = _KEYS[arm] == "with_bn"
        report[_KEYS[arm]] = run_report("train", with_arm(experiment, bn), outcome, files, threads)
    shared = dict(report["with_bn"]["config"])
    del shared["bn"]
    report["config"] = shared
    return report | finite(result.numbers) | {"statements": list(result.statements)}
