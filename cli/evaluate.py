"""``minibn evaluate``."""

import click

from .options import checkpoint_argument, json_option, refuse_target_alone, use_threads
from .threshold import threshold_option


@click.command()
@checkpoint_argument
@click.option("--data", metavar="NAME|PATH", help="Data to evaluate on.  [default: those of the run]")
@click.option("--target", metavar="COLUMN", help="Target column.  [default: as in training]")
@click.option("--all-rows", is_flag=True, help="Also the training rows, on the data of the run.")
@threshold_option
@click.option(
    "--plot",
    type=click.Path(dir_okay=False),
    help="Draw the precision-recall curve of two classes to this .png, .svg or .pdf file.",
)
@json_option
def evaluate(checkpoint, data, target, all_rows, threshold, plot, as_json):
    """Measure a trained model.

    CHECKPOINT is a run folder or its model.safetensors. On the data of the run only the stored validation rows
    count. The stored scaler and labels are applied, columns are matched by name, and running statistics are used,
    never touched.
    """
    use_threads()
    refuse_target_alone(data, target)
    from minibn.train import judge

    from .beside import judged_beside
    from .progress import announce_compilation
    from .saved import open_saved
    from .threshold import chosen_threshold

    announce_compilation()
    saved = open_saved(checkpoint, data, target, all_rows)
    used = chosen_threshold(saved, threshold)
    y = saved.dataset.y[saved.rows]
    final = judge(saved.model, saved.x, y, saved.labels, saved.positive, used and used["threshold"])
    beside = judged_beside(checkpoint, data, target, all_rows, threshold)
    if plot:
        _plot(saved, y, used, final, plot)
    if as_json:
        from .report import print_json

        rows = {"rows": len(saved.rows), "chosen": saved.chosen}
        about = {"command": "evaluate", "checkpoint": checkpoint, "data": saved.dataset.name}
        found = {"final": final, "threshold": used, "files": {"plot": plot} if plot else {}}
        print_json(about | rows | found | ({"beside": beside} if beside else {}))
    else:
        _print(saved, used, final, beside, plot)


def _print(saved, used, final, beside, plot):
    from .beside import beside_table
    from .render import print_tables
    from .tables import counted, print_files, print_final
    from .threshold import OPTIMISTIC, threshold_line

    click.echo(f"{saved.dataset.name}: {saved.chosen}")
    if used:
        click.echo(threshold_line(saved, used))
        if used["source"] == "stored" and saved.trained_with:
            click.echo(OPTIMISTIC)
    print_final(final, counted(len(saved.rows), "row"))
    if beside:
        print_tables([beside_table(final, used, beside)])
    if plot:
        print_files({"plot": plot})


def _plot(saved, y, used, final, path):
    from pathlib import Path

    from .ranking import plot_curves

    if Path(path).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise click.UsageError(f"--plot takes a .png, .svg or .pdf file, got {path}")
    points = {f"threshold {used['threshold']:.3g}": (final["precision"], final["recall"])} if used else {}
    title = f"{saved.dataset.name}, {len(y)} rows"
    plot_curves(
        {"this model": saved.model}, saved.x, y, saved.labels, saved.positive, [Path(path)], title, points
    )
