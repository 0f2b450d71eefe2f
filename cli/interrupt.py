"""Ctrl-C while a command runs: what it leaves with, one line and no traceback."""

import signal
import sys

import click


class Interrupted(Exception):
    """Ctrl-C was pressed; the message is the one line to show."""


class InterruptibleGroup(click.Group):
    """A group that ends with :class:`Interrupted` on Ctrl-C, where click would print an empty line first."""

    def invoke(self, context):
        """Run the command, which from here on can be interrupted and cleans up after itself."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = _repeat
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise Interrupted("Error: interrupted") from None


def _repeat(unraisable):
    """Repeat an interrupt that fell into a callback, as compilers have them, which cannot pass it on."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        return sys.__unraisablehook__(unraisable)
    from threading import Timer

    return Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
