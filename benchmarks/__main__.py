"""The command line of the benchmarks. A new suite is a module with a click command, added to ``SUITES``."""

import importlib

import click

from benchmarks.machine import pin

SUITES = {"kernels": "Every public kernel of minibn against NumPy."}


class _Suites(click.Group):
    """Import a suite only when it is asked for, after the thread counts have been pinned."""

    def list_commands(self, ctx):
        return list(SUITES)

    def get_command(self, ctx, name):
        if name not in SUITES:
            return None
        pin()
        return importlib.import_module(f"benchmarks.{name}").command

    def format_commands(self, ctx, formatter):
        with formatter.section("Suites"):
            formatter.write_dl(list(SUITES.items()))


@click.group(cls=_Suites)
def main():
    """Time minibn against its peers, side by side in one run."""


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
