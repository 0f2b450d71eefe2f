"""The plots of a report, as SVG."""

from pathlib import Path


def draw(suite, report, folder):
    """Write the plots that a suite's report allows: ratios per kernel and shape, and cost against size."""
    from benchmarks.figures import curves, ratios

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if suite == "kernels" and report["details"]:
        ratios.draw(report, folder / "kernels.svg")
    if report["curves"]:
        curves.draw(report["curves"], folder / f"{suite}-cost.svg")
