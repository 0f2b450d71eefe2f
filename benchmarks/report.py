"""Rows of results, as JSON and as a table."""

import json

import numpy as np

from benchmarks.measure import spread

_HEAD = ("kernel", "shape", "minibn us", "peer us", "ratio", "10 % - 90 %", "copies", "goal", "compile s")


def row(case, shape, against, seconds, compile_seconds):
    """Return one row: the median ratio of the peer's time to minibn's, with its spread and its goal.

    Parameters
    ----------
    case : Case
    shape : tuple of int
    against : str
    seconds : dict of str to ndarray
        Seconds per call and round, of ``minibn``, of the peer and of ``copy``.
    compile_seconds : float

    Returns
    -------
    dict
    """
    ratio = spread(seconds[against] / seconds["minibn"])
    return {
        "name": case.name,
        "against": against,
        "shape": "x".join(map(str, shape)),
        "ratio": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "goal": case.goal,
        "reached": None if case.goal is None else ratio.median >= case.goal,
        "minibn_us": float(np.median(seconds["minibn"]) * 1e6),
        f"{against}_us": float(np.median(seconds[against]) * 1e6),
        "copy_us": float(np.median(seconds["copy"]) * 1e6),
        "compile_s": compile_seconds,
        "rounds": len(seconds["minibn"]),
    }


def save(results, path):
    """Write results as JSON, making the folder where it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def _microseconds(value):
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _goal(row):
    if row["goal"] is None:
        return ""
    return f"{row['goal']:g} {'reached' if row['reached'] else 'MISSED'}"


def _cells(row, first):
    return (
        row["name"] if first else "",
        row["shape"],
        _microseconds(row["minibn_us"]),
        _microseconds(row[f"{row['against']}_us"]),
        f"{row['ratio']:.2f}",
        f"{row['low']:.2f} - {row['high']:.2f}",
        f"{row['minibn_us'] / row['copy_us']:.1f}",
        _goal(row),
        f"{row['compile_s']:.2f}" if first else "",
    )


def _summary(results):
    goals = [row["reached"] for row in results["rows"] if row["goal"] is not None]
    control, versions = results["control"], results["versions"]
    return (
        f"{results['cpu']}, {results['threads']} thread; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + f"\ncontrol against itself: {control['ratio']:.2f} ({control['low']:.2f} - {control['high']:.2f})"
        + f"\ngoals reached: {sum(goals)} of {len(goals)}"
    )


def table(results):
    """Return results as aligned text, one line per kernel and shape."""
    lines, previous = [_HEAD], None
    for row in results["rows"]:
        lines.append(_cells(row, row["name"] != previous))
        previous = row["name"]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*text, "", _summary(results)])
