"""Figures that teaching documents print for the example: illustrations, shown beside what was measured."""

from dataclasses import replace

TRACE_LOSS = (1.2, 0.9, 0.7, 0.55, 0.45)
"""Training loss with batch norm, epochs 1 to 5."""

TRACE_ACCURACY = (0.45, 0.60, 0.72, 0.80, 0.85)
"""Training accuracy with batch norm, epochs 1 to 5."""

COMPARED_LOSS = {1: (0.8, 1.2), 5: (0.3, 0.7), 10: (0.1, 0.4)}
"""Training loss (with, without) batch norm at an epoch."""

COMPARED_ACCURACY = (0.85, 0.75)
"""Validation accuracy (with, without) batch norm."""

TRACE_NOTE = "documents: the log that teaching texts print for this run (an illustration)"

COMPARED_NOTE = "documents: the comparison that teaching texts print (an illustration; not their log, which minibn train shows)"


def belong_to(settings, **defaults):
    """Say whether a run is the one that the figures are printed for: every setting is the command's default."""
    theirs = replace(type(settings)(**defaults).resolved(), val_fraction=None)
    return settings == theirs
