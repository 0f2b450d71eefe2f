"""``minibn info``."""

import click

from .options import json_option, use_threads


@click.command()
@json_option
def info(as_json):
    """Show versions, CPU, threads, the folder of compiled kernels, and what CUDA lacks."""
    use_threads()
    report = _report()
    if as_json:
        from .report import print_json

        print_json({"command": "info", **report})
        return
    click.echo("versions  " + ", ".join(f"{k} {v or 'missing'}" for k, v in report["versions"].items()))
    click.echo(f"cpu       {report['cpu']}, {report['cores']} cores")
    click.echo(f"threads   BLAS {report['threads']['blas']}, Numba {report['threads']['numba']}")
    click.echo(f"cache     {report['cache'] or 'none: no writable folder, set NUMBA_CACHE_DIR'}")
    for line in _cuda_lines(report["cuda"]):
        click.echo(line)


def _report():
    import os

    import numba

    from minibn.cores import usable_cores
    from minibn.kernels import batch_norm_forward

    from .runs import versions

    return {
        "versions": versions(),
        "cpu": _cpu(),
        "cores": usable_cores(),
        "threads": {"blas": int(os.environ["OPENBLAS_NUM_THREADS"]), "numba": numba.config.NUMBA_NUM_THREADS},
        "cache": _cache(batch_norm_forward),
        "cuda": _cuda(),
    }


def _cpu():
    from pathlib import Path

    import llvmlite.binding as llvm

    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        model = platform.processor() or platform.machine()
    return f"{model} ({llvm.get_host_cpu_name()})"


def _cache(kernel):
    path = getattr(getattr(kernel, "_cache", None), "cache_path", None)
    return None if path is None else str(path)


def _cuda():
    """Return what CUDA needs and what of it is here."""
    from minibn.kernels.cuda.toolkit import parts
    from minibn.program import devices

    missing = devices.what_is_missing()
    found = [
        {"name": part.name, "found": part.found, "remedy": None if part.found else part.remedy}
        for part in parts(devices.driver())
    ]
    return {"usable": missing is None, "missing": missing, "parts": found}


def _cuda_lines(cuda):
    """Return five lines: whether CUDA can be used, and its parts, with what mends those that are missing."""
    reason = "" if cuda["usable"] else "; minibn computes on the CPU"
    lines = [f"cuda      {'usable' if cuda['usable'] else 'not usable'}{reason}"]
    for part in cuda["parts"]:
        told = part["found"] or f"missing; {part['remedy']}"
        lines.append(f"  {part['name']:<11} {told}")
    return lines
