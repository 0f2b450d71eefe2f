"""``python -m benchmarks cuda``."""

from pathlib import Path

import click


def _refusal():
    """Say in one line why nothing can be timed here; None where it can."""
    from minibn.program import devices

    missing = devices.what_is_missing()
    if missing:
        return missing
    if devices.simulated():
        return "the simulator has no speed to measure; unset NUMBA_ENABLE_CUDASIM"
    try:
        import torch
    except ImportError:
        return "PyTorch with CUDA is needed to compare with; install torch"
    return None if torch.cuda.is_available() else "PyTorch here has no CUDA; install a build that has"


def _device():
    import torch

    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name}, {properties.multi_processor_count} multiprocessors, CUDA {torch.version.cuda}"


@click.command()
@click.option("--quick", is_flag=True, help="Two shapes and few rounds.")
@click.option("--correctness", "only_checks", is_flag=True, help="Check the results and time nothing.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/benchmarks"),
              show_default=True, help="Folder for cuda.json.")  # fmt: skip
@click.option("--check", is_flag=True, help="Exit with 1 when a goal is missed.")
def cuda(quick, only_checks, out, check):
    """CUDA kernels and programs on a GPU: right first, then against PyTorch and a copy."""
    refusal = _refusal()
    if refusal:
        raise click.ClickException(refusal)
    from benchmarks import report as text
    from benchmarks import suites
    from benchmarks.cuda import measure
    from benchmarks.progress import say

    checked = measure.checks(say)
    details = [] if only_checks else measure.kernels(quick, say) + measure.training(quick, say)
    found = measure.report(_device(), checked, details, quick)
    suites.save(found, out / "cuda.json")
    click.echo(text.table("cuda", found))
    if wrong := [f"{row['name']} {row['shape']}" for row in checked if not row["right"]]:
        raise click.ClickException(f"wrong results: {'; '.join(wrong)}")
    if check and suites.missed([found]):
        raise click.ClickException(f"goals missed: {'; '.join(suites.missed([found]))}")
