"""The tables of a run as Markdown, printed or written between the marks of a page."""

import json
import re

from benchmarks import report
from benchmarks.against import TITLES
from benchmarks.goals import PAIRS
from benchmarks.suites import SUITES

_TITLES = TITLES | {"copy": "a copy", "1 thread": "itself with 1 thread", PAIRS: PAIRS, "": ""}


def load(folder):
    """Return the reports of a folder by suite."""
    paths = {name: folder / f"{name}.json" for name in SUITES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def _table(head, align, rows):
    lines = [head, align, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _title(against):
    return _TITLES.get(against, f"`{against}`")


def goals(reports):
    """Return the table of goals, all suites in one."""
    head, align = (
        ("what", "against", "goal", "measured", "10 % - 90 %", "reached"),
        ("---", "---", *["---:"] * 3, "---"),
    )
    rows = [
        (row["name"], _title(row["against"]), report.goal(row), report.measured(row),
         "" if row["ratio"] is None else report.spread(row), _verdict(row))
        for found in reports.values() for row in found["rows"]
    ]  # fmt: skip
    return _table(head, align, rows)


def _verdict(row):
    return {None: "not measured", True: "yes", False: "**no**"}[row["reached"]]


def machine(reports):
    """Return what it was measured on: each machine once, then the controls of each suite."""
    lines = list(
        dict.fromkeys(f"- {report.machine(found)}{_reservations(found)}" for found in reports.values())
    )
    lines += [f"- `{name}`: {'; '.join(report.controls(found))}" for name, found in reports.items()]
    return "\n".join(lines)


def _reservations(found):
    skipped = f"; not installed: {', '.join(found['missing'])}" if found["missing"] else ""
    return skipped + ("; a quick run" if found["quick"] else "")


def _microseconds(value):
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _ratio(row):
    return f"{row['ratio']:.2f} ({row['low']:.2f} - {row['high']:.2f})" if row else ""


def _grouped(details):
    """Return the rows by kernel and shape, then by peer."""
    groups = {}
    for row in details:
        groups.setdefault((row["name"], row["shape"]), {})[row["against"]] = row
    return groups


def kernels(reports):
    """Return a line per kernel and shape, with one thread."""
    details = [row for row in reports["kernels"]["details"] if row["threads"] == 1]
    peers = [name for name in TITLES if any(row["against"] == name for row in details)]
    rows, previous = [], None
    for (name, shape), found in _grouped(details).items():
        first, copy = name != previous, found["copy"]
        rows.append((f"`{name}`" if first else "", shape, _microseconds(copy["minibn_us"]),
                     *(_ratio(found.get(peer)) for peer in peers), f"{copy['ratio']:.1f}",
                     f"{copy['compile_s']:.2f}" if first else ""))  # fmt: skip
        previous = name
    head = ("kernel", "shape", "minibn us", *(TITLES[peer] for peer in peers), "copies", "compile s")
    return _table(head, ("---", "---", *["---:"] * (len(head) - 2)), rows)


def threads(reports):
    """Return a line per kernel and shape, with several threads."""
    rows = [
        (f"`{row['name']}`", row["shape"], str(row["threads"]), _microseconds(row["peer_us"]),
         _microseconds(row["minibn_us"]), _ratio(row))
        for row in reports["kernels"]["details"] if row["threads"] > 1
    ]  # fmt: skip
    head = ("kernel", "shape", "threads", "1 thread us", "all us", "ratio")
    return _table(head, ("---", "---", *["---:"] * 4), rows) if rows else "Not measured."


def training(reports):
    """Return a line per network and peer."""
    rows = [
        (row["name"], row["shape"], str(row["threads"]), _title(row["against"]), _microseconds(row["minibn_us"]),
         _microseconds(row["peer_us"]), _ratio(row), f"{row['first_epoch_s']:.1f}", f"{row['peer_first_epoch_s']:.1f}")
        for row in reports["training"]["details"] if "steps" in row
    ]  # fmt: skip
    head = ("network", "what", "threads", "peer", "minibn us a step", "peer us a step", "ratio", "minibn first s",
            "peer first s")  # fmt: skip
    return _table(head, ("---", "---", "---:", "---", *["---:"] * 5), rows)


def estimators(reports):
    """Return a line per task."""
    rows = [
        (row["name"], row["shape"], f"{row['minibn_us'] / 1000:,.1f}", f"{row['peer_us'] / 1000:,.1f}", _ratio(row),
         f"{row['accuracy']:.4f}", f"{row['peer_accuracy']:.4f}", f"{row['first_fit_s']:.1f}")
        for row in reports["estimators"]["details"] if "accuracy" in row
    ]  # fmt: skip
    head = (
        "what",
        "of",
        "minibn ms",
        "scikit-learn ms",
        "ratio",
        "accuracy",
        "scikit-learn's",
        "minibn first s",
    )
    return _table(head, ("---", "---", *["---:"] * 6), rows) if rows else "Not measured."


def startup(reports):
    """Return a line per command."""
    rows = [
        (row["name"] + (f" minus {row['against']}" if row["against"] else ""), f"{row['ratio']:.3f}",
         f"{row['low']:.3f} - {row['high']:.3f}", f"{row['cpu_s']:.3f}", str(row["rounds"]))
        for row in reports["startup"]["details"]
    ]  # fmt: skip
    return _table(("command", "s", "10 % - 90 %", "processor s", "runs"), ("---", *["---:"] * 4), rows)


def curves(reports):
    """Return a line per curve with its slope."""
    rows = [
        (f"`{curve['name']}`", curve["axis"], curve["fixed"], f"{curve['sizes'][0]} to {curve['sizes'][-1]}",
         f"{curve['slope']:.2f}")
        for found in reports.values() for curve in found["curves"]
    ]  # fmt: skip
    return _table(("what", "against", "fixed", "range", "slope"), ("---", "---", "---", "---", "---:"), rows)


def slower(reports):
    """Return what minibn does more slowly than a peer, by median, the worst first."""
    details = [row for found in reports.values() for row in found["details"] if row["against"] in TITLES]
    rows = [
        (f"`{row['name']}`", row["shape"], str(row["threads"]), _title(row["against"]), _ratio(row))
        for row in sorted(details, key=lambda row: row["ratio"]) if row["ratio"] < 1
    ]  # fmt: skip
    head = ("what", "shape", "threads", "peer", "ratio")
    return (
        _table(head, ("---", "---", "---:", "---", "---:"), rows) if rows else "Nothing of what is measured."
    )


TABLES = {
    "goals": goals,
    "machine": machine,
    "curves": curves,
    "slower": slower,
    "kernels": kernels,
    "threads": threads,
    "training": training,
    "estimators": estimators,
    "startup": startup,
}
_NEEDS = {"kernels": "kernels", "threads": "kernels", "training": "training", "estimators": "estimators",
          "startup": "startup"}  # fmt: skip


def blocks(reports):
    """Return every table that the reports allow, by name."""
    return {name: make(reports) for name, make in TABLES.items() if _NEEDS.get(name) in {None, *reports}}


def text(reports):
    """Return all tables, one after the other."""
    return "\n\n".join(f"## {name}\n\n{block}" for name, block in blocks(reports).items())


def refresh(page, reports):
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->`` of a page by the table of that name."""
    content = page.read_text()
    for name, block in blocks(reports).items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        content = marks.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", content)
    page.write_text(content)
