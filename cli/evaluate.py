"""``minibn evaluate``."""

import click

from .options import json_option, use_threads


@click.command()
@click.argument("checkpoint", type=click.Path())
@click.option("--data", metavar="NAME|PATH", help="Data to evaluate on.  [default: those of the run]")
@click.option("--target", metavar="COLUMN", help="Target column.  [default: as in training]")
@click.option("--all-rows", is_flag=True, help="Also the training rows, on the data of the run.")
@json_option
def evaluate(checkpoint, data, target, all_rows, as_json):
    """Measure a trained model.

    CHECKPOINT is a run folder or its model.safetensors. On the data of the run only the stored validation rows
    count. The stored scaler and labels are applied, columns are matched by name, and running statistics are used,
    never touched.
    """
    use_threads()
    from minibn.train import judge

    from .progress import announce_compilation
    from .saved import open_saved

    announce_compilation()
    saved = open_saved(checkpoint, data, target, all_rows)
    final = judge(saved.model, saved.x, saved.dataset.y[saved.rows], saved.labels, saved.positive)
    if as_json:
        from .report import print_json

        rows = {"rows": len(saved.rows), "chosen": saved.chosen}
        print_json(
            {
                "command": "evaluate",
                "checkpoint": checkpoint,
                "data": saved.dataset.name,
                **rows,
                "final": final,
            }
        )
        return
    from .tables import counted, print_final

    click.echo(f"{saved.dataset.name}: {saved.chosen}")
    print_final(final, counted(len(saved.rows), "row"))
