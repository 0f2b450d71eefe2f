"""``minibn cache``: the compiled kernels on disk."""

import click

from .options import json_option, use_threads


@click.group()
def cache():
    """Show, remove or fill the disk cache of compiled kernels.

    Kernels are compiled when they are first needed and kept on disk. A cached kernel is loaded only by the same
    sources, options and Numba; what others have left is stale. NUMBA_CACHE_DIR names another folder.
    """


@cache.command()
@json_option
def info(as_json):
    """Show where the cache lies and what it holds."""
    use_threads()
    report = {"command": "cache info", **_contents()}
    if as_json:
        _print_json(report)
        return
    _print_contents(report)
    if report["stale_entries"]:
        click.echo("\n'minibn cache clear --stale' removes what is stale")


@cache.command()
@click.option(
    "--stale",
    is_flag=True,
    help="Only what was compiled from other sources, with other options or by another Numba.",
)
@json_option
def clear(stale, as_json):
    """Remove minibn's own entries.

    Those of other packages stay, and so do those of functions of yours that call kernels.
    """
    use_threads()
    from minibn.program.cache import clear_cache

    entries, size = clear_cache(stale)
    if as_json:
        _print_json({"command": "cache clear", "entries": entries, "bytes": size, **_where()})
        return
    from .tables import counted

    words = ("stale entry", "stale entries") if stale else ("entry", "entries")
    click.echo(f"removed   {entries} {words[entries != 1]}, {_size(size)}")
    click.echo(f"from      {counted(len(_where()['folders']), 'folder')}")


@cache.command()
@click.option(
    "--all", "everything", is_flag=True, help="Also float64, and every kernel for code of your own."
)
@json_option
def warmup(everything, as_json):
    """Compile ahead what a first 'minibn train' would.

    For container images, and before many processes start at once. A run in float32 then compiles nothing,
    whatever its options. The exit code is 1 where the result cannot be kept.
    """
    use_threads()
    import time

    from minibn.kernels import on_compile

    _refuse_without_compiler()
    compiled: list = []
    on_compile(compiled.append)
    started = time.perf_counter()
    versions = _warm_up(everything)
    seconds = time.perf_counter() - started
    _check_kept()
    if as_json:
        figures = {"versions": versions, "compiled": len(compiled), "seconds": seconds}
        _print_json({"command": "cache warmup", "all": everything, **figures, **_contents()})
        return
    click.echo(f"ready     {versions} versions of kernels, {len(compiled)} compiled now, in {seconds:.1f} s")
    for folder in _where()["folders"]:
        click.echo(f"folder    {folder}")


def _refuse_without_compiler():
    import numba

    if numba.config.DISABLE_JIT:
        raise click.UsageError("NUMBA_DISABLE_JIT is set, so nothing can be compiled; unset it")


def _warm_up(everything):
    from minibn.program.warm_up import warm_up

    from .progress import counter

    _check_kept()  # before seconds are spent
    return warm_up(everything, counter("compiling", "versions of kernels"))


def _check_kept():
    from minibn.kernels.cache import uncached_reason

    if uncached_reason():
        raise click.ClickException(
            f"nothing could be kept ({uncached_reason()}); set NUMBA_CACHE_DIR to a writable folder"
        )


def _where():
    from minibn.program.cache import cache_folders

    return {"folders": [str(folder.path) for folder in cache_folders()]}


_COUNTS = ("entries", "bytes", "stale_entries", "stale_bytes")


def _contents():
    """Return the folders of the cache and their sums."""
    from dataclasses import asdict

    from minibn.program.cache import cache_folders

    folders = [asdict(folder) | {"path": str(folder.path)} for folder in cache_folders()]
    return {"folders": folders, **{name: sum(folder[name] for folder in folders) for name in _COUNTS}}


def _print_contents(report):
    from .tables import table

    if not report["folders"]:
        click.echo("no cache: there is no folder to write to, or the compiler is off; see NUMBA_CACHE_DIR")
        return
    for number, folder in enumerate(report["folders"], 1):
        click.echo(f"folder {number}  {folder['path']}")
    rows = [[str(number), *_row(folder)] for number, folder in enumerate(report["folders"], 1)]
    click.echo("")
    click.echo(table(["folder", "entries", "size", "stale", "size"], [*rows, ["all", *_row(report)]]))


def _row(counts):
    return [
        counts["entries"], _size(counts["bytes"]), counts["stale_entries"], _size(counts["stale_bytes"]),
    ]  # fmt: skip


def _size(number):
    """Return bytes in words: ``0 B``, ``12.3 kB``, ``4.5 MB``."""
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def _print_json(report):
    from .report import print_json

    print_json(report)
