"""The doctor's figures as a table for the documents."""

BEGIN, END = "<!-- doctor: begin -->", "<!-- doctor: end -->"


def text(report):
    """Return recall and false alarms as Markdown."""
    data, well = report["data"], report["healthy"]
    alarms = {fault["finding"]: well["by_rule"].get(fault["finding"], 0) for fault in report["faults"]}
    head = ["fault", "found", "recall", *data, "false alarms of its rule", "also said"]
    rows = [_row(fault, data, alarms[fault["finding"]], well["runs"]) for fault in report["faults"]]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    named = ", ".join(f"{name} {count}" for name, count in well["by_rule"].items()) or "none"
    first, last = report["seeds"]
    return "\n".join((
        f"Data sets {', '.join(data)}; seeds {first} to {last}, on every data set.", "", *lines, "",
        f"Healthy runs with a fault: {well['alarmed']} of {well['runs']} ({well['share']:.1%}); by rule: {named}.",
    ))  # fmt: skip


def _row(fault, data, alarms, runs):
    others = [f"{name} {count}" for name, count in fault["also_said"].items() if count >= fault["runs"] / 10]
    return [
        fault["name"], f"{fault['found']} of {fault['runs']}", f"{fault['recall']:.3f}",
        *(f"{fault['by_data'][name]:.2f}" for name in data), f"{alarms} of {runs}", ", ".join(others),
    ]  # fmt: skip


def refresh(path, report):
    """Write the table between the marks of a page."""
    page = path.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n{text(report)}\n{END}{after}")
