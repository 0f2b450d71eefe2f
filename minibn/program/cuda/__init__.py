"""The program on CUDA: the same lines, played by kernels of one stream, or inside one kernel. Imports ``numba.cuda``."""

from minibn.program.cuda.program import CudaProgram

__all__ = ["CudaProgram"]
