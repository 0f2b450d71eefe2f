"""Kernels of minibn inside compiled, cached functions of another package: serial, parallel, and without the GIL."""

from minibn_groups.parallel import normalize_groups
from minibn_groups.serial import fit_linear
from minibn_groups.threads import predict_in_threads

__all__ = ["fit_linear", "normalize_groups", "predict_in_threads"]
