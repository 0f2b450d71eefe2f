"""The compiled training program: one step, captured from the tape and played by one compiled function."""

from minibn.program.capture import capture
from minibn.program.program import Program
from minibn.program.result import EpochResult

__all__ = ["EpochResult", "Program", "capture"]
