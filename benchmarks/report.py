"""What a suite prints: a line per goal, and what it was measured on."""

_HEAD = ("what", "against", "measured", "10 % - 90 %", "goal", "")


def number(value):
    """Return a number with three figures, or whole where it has more."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def spread(row):
    """Return the 10th and 90th percentile as text; nothing for a count."""
    return "" if row["low"] == row["high"] else f"{number(row['low'])} - {number(row['high'])}"


def goal(row):
    """Return the goal as text, with the direction in which it is reached."""
    sign = "at least" if row["better"] == "more" else "at most"
    aim = f", aim {number(row['aim'])}" if "aim" in row else ""
    return f"{sign} {number(row['goal'])}{aim}"


def verdict(row):
    """Return whether a goal was reached."""
    return {None: "not measured", True: "reached", False: "MISSED"}[row["reached"]]


def measured(row):
    """Return what was measured as text."""
    if row["ratio"] is None:
        return ""
    place = f" ({row['at']})" if "at" in row else ""
    return f"{number(row['ratio'])}{'' if row['unit'].startswith('times') else ' ' + row['unit']}{place}"


def _cells(row):
    return (row["name"], row["against"], measured(row), "" if row["ratio"] is None else spread(row), goal(row),
            verdict(row))  # fmt: skip


def machine(report):
    """Return processor and versions as text."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return f"{report['cpu']}; threads {', '.join(map(str, report['threads']))}; {versions}"


def controls(report):
    """Return a line per control."""
    return [
        f"control against itself, {control['threads']} thread{'s' * (control['threads'] > 1)}: "
        f"{control['ratio']:.2f} ({control['low']:.2f} - {control['high']:.2f})"
        for control in report["control"]
    ]


def table(suite, report):
    """Return a suite's goals as aligned text."""
    lines = [_HEAD, *map(_cells, report["rows"])]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([f"== {suite}", *text, "", *controls(report), machine(report), ""])
