"""The program as text."""

from minibn.program.instructions import Code

_KINDS = ("forward", "loss", "backward", "update", "evaluation", "evaluation_loss")
_STATS = ("mean", "var", "running_mean", "running_var", "scalars")


def describe(program):
    """Return a program line by line: instruction, operands by name, shapes, and the bytes of each arena."""
    lines = program.lines
    text = []
    for kind in _KINDS:
        text.append(f"{kind}:")
        text += [f"  {Code(line.code).name:<32} {_operands(line, lines)}" for line in getattr(lines, kind)]
    sizes = {"arena": program.arena, "stats": program.stats, "counts": program.counts}
    text.append("memory: " + ", ".join(f"{name} {a.dtype} {a.nbytes} bytes" for name, a in sizes.items()))
    return "\n".join(text)


def _operands(line, lines):
    shown = []
    for field, offset in line.operands.items():
        if field in ("inputs", "outputs"):
            continue
        layout = lines.counts if field == "counter" else lines.stats if field in _STATS else lines.arena
        span = layout.at(offset)
        shape = "x".join(map(str, span.shape)) if span else "?"
        shown.append(f"{field}={span.name if span else offset} ({shape})")
    return ", ".join(shown)
