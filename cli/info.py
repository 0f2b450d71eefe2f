"""``minibn info``."""

import click

from .options import json_option, use_threads


@click.command()
@json_option
def info(as_json):
    """Show versions, CPU, threads, the folder of compiled kernels, and CUDA."""
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
    click.echo(f"cuda      {report['cuda']}")


def _report():
    import os

    import numba

    from minibn.kernels import batch_norm_forward

    from .runs import versions

    return {
        "versions": versions(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
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
    """Say whether a driver is there, without loading it."""
    import ctypes.util

    driver = ctypes.util.find_library("cuda") or ctypes.util.find_library("nvcuda")
    found = f"driver {driver} found" if driver else "no driver found"
    return f"{found}; minibn computes on the CPU"
