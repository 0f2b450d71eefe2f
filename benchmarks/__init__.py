"""Timings, side by side in one run: ``python -m benchmarks SUITE``.

A suite is a module with a click command, listed in ``benchmarks.__main__``. A peer is a module under
``benchmarks.against``. Nothing here is imported by minibn or asserted by its tests.
"""
