"""Progress on stderr."""

import sys


def say(what, rows=()):
    """Write a line: what was measured, and the ratios that came of it."""
    found = ", ".join(
        f"{row['against']} {row['ratio']:.2f}" for row in sorted(rows, key=lambda row: row["against"])
    )
    print(f"{what}: {found}" if found else what, file=sys.stderr, flush=True)
