"""The entry point. It imports the commands only once Ctrl-C is in hand, so that no moment shows a traceback."""

import gc
import os
import signal
import sys

_YOUNG = 100_000
"""Objects after which garbage is looked for. At Python's 700, that took a tenth of the time of a short command."""


def main():
    """Run the command line and exit: 0, 1 for a failed run, 2 for wrong usage, 130 on Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
        signal.signal(signal.SIGINT, _leave)
    gc.set_threshold(_YOUNG, 20, 100)
    from .commands import run

    sys.exit(run())


def _leave(signum, frame):
    # Nothing has begun: there is nothing to clean up, and half an import cannot be trusted to unwind.
    os._exit(128 + signum)
