"""Lists of values on the command line: ``0.01,0.1,1``, or ``LOW..HIGH:N`` for N values at equal ratios."""

import math

import click

_MOST = 1000


class Values(click.ParamType):
    """A comma-separated list; items of numbers may be ranges.

    Parameters
    ----------
    kind : type
        int, float or str.
    """

    name = "list"

    def __init__(self, kind):
        self.kind = kind

    def get_metavar(self, param, ctx=None):
        """Return what the help shows."""
        return "LIST"

    def convert(self, value, param, ctx):
        """Return a tuple of values, each once, in the order given."""
        if isinstance(value, tuple):
            return value
        items = [item.strip() for item in value.split(",")]
        return tuple(dict.fromkeys(v for item in items for v in self._item(item, param, ctx)))

    def _item(self, item, param, ctx):
        if ".." in item and self.kind is not str:
            return self._range(item, param, ctx)
        try:
            return [self.kind(item)] if item else self._refuse(item, param, ctx)
        except ValueError:
            return self._refuse(item, param, ctx)

    def _range(self, item, param, ctx):
        ends, _, count = item.partition(":")
        low, _, high = ends.partition("..")
        try:
            low, high, count = self.kind(low), self.kind(high), int(count)
        except ValueError:
            return self._refuse(item, param, ctx)
        if not (0 < low < high < math.inf and 2 <= count <= _MOST):
            self.fail(
                f"{item!r}: a range LOW..HIGH:N needs 0 < LOW < HIGH and N from 2 to {_MOST}", param, ctx
            )
        inner = [low * (high / low) ** (k / (count - 1)) for k in range(1, count - 1)]
        return [low, *map(self._rounded, inner), high]

    def _rounded(self, value):
        return round(value) if self.kind is int else float(f"{value:.2g}")

    def _refuse(self, item, param, ctx):
        words = {int: "whole numbers", float: "numbers", str: "names"}[self.kind]
        ranges = "" if self.kind is str else " or ranges LOW..HIGH:N"
        return self.fail(f"{item!r} is not understood: give {words}{ranges}, separated by commas", param, ctx)
