"""Timings, side by side in one run: ``python -m benchmarks SUITE``.

A suite is a module with ``run(settings)``, listed in ``benchmarks.suites``; it measures in a process of its own, whose
thread counts are fixed before NumPy is imported. A peer is one or two modules under ``benchmarks.against``. The
goals, a row each, are in ``benchmarks.goals``. Nothing here is imported by minibn.
"""
