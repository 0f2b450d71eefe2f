"""A study of several parts, such as depths or activations, that are answered and told alike."""

from minibn.lab.answers import combined, parts_text
from minibn.lab.report import Report


def report_of_parts(parts, answers, *, statements, table, chart, numbers, **named):
    """Return the report of a study whose parts each have sentences, a table, a chart and numbers.

    Parameters
    ----------
    parts : sequence
        What was measured on each part.
    answers : dict of str to str
        Of each part, by its name, in the order of the parts.
    statements, table, chart, numbers : callable
        Each takes a part; ``statements`` returns several sentences.
    **named
        What else :class:`minibn.lab.Report` holds: name, title, question, conditions, source.

    Returns
    -------
    Report
    """
    return Report(
        verdict=combined(answers.values()),
        statements=(parts_text(answers), *(text for part in parts for text in statements(part))),
        tables=tuple(map(table, parts)),
        charts=tuple(map(chart, parts)),
        numbers={
            name: numbers(part) | {"answer": found}
            for (name, found), part in zip(answers.items(), parts, strict=True)
        },
        **named,
    )
