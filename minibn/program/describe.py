"""The program as text."""

import math

from minibn.program.instructions import COLUMN, Code
from minibn.program.operations import OPERANDS

_RANGES = {
    "training": ("forward", "loss", "backward", "update"),
    "evaluation": ("evaluation", "evaluation_loss"),
}
_FIELDS = {column: name for name, column in COLUMN.items()}


def describe(program):
    """Return a program line by line: instruction, arrays by name and shape, their bytes; then those of the arenas.

    The first axis of an activation is the largest batch.
    """
    lines, text = program.lines, []
    for title, parts in _RANGES.items():
        text.append(title)
        text += [_line(line, lines) for part in parts for line in getattr(lines, part)]
    sizes = {"arena": program.arena, "stats": program.stats, "counts": program.counts}
    text.append("memory")
    text += [f"  {name:<8} {array.dtype.name:<8} {array.nbytes:>10,} bytes" for name, array in sizes.items()]
    return "\n".join(text)


def _line(line, lines):
    arrays = [found for operand in OPERANDS[line.code] if (found := _array(operand, line, lines))]
    size = sum(count for _, count in arrays)
    return f"  {Code(line.code).name:<31} {size:>9,} bytes  " + "  ".join(name for name, _ in arrays)


def _array(operand, line, lines):
    """Return an array's field, name and shape as text, and its bytes; None for numbers and what is left out."""
    column = getattr(operand, "column", None)
    if column is None or not hasattr(operand, "shape") or _FIELDS[column] not in line.operands:
        return None
    layout = getattr(lines, operand.memory)
    span = layout.at(line.operands[_FIELDS[column]])
    shape, name = span.shape, span.name
    if line.code >= Code.SGD_UPDATE:  # one span of several parameters
        shape, name = (line.operands["outputs"],), f"{name} and on"
    text = f"{_FIELDS[column]}={name}[{'x'.join(map(str, shape))}]"
    return text, math.prod(shape) * layout.dtype.itemsize
