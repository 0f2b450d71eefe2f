"""Ctrl-C while a command runs: what it leaves with, one line and no traceback."""

import signal
import sys

import click

_MESSAGE = "Error: interrupted"


class Interrupted(Exception):
    """Ctrl-C was pressed; the message is the one line to show."""


class InterruptibleGroup(click.Group):
    """A group that ends with :class:`Interrupted` on Ctrl-C, where click would print an empty line first."""

    def invoke(self, context):
        """Run the command, which from here on can be interrupted and cleans up after itself."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        lost = _Lost()
        sys.unraisablehook = lost.repeat
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise Interrupted(_MESSAGE) from None
        except Exception:
            if lost.pending:  # it is the compiler's complaint that its callback came to nothing
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                raise Interrupted(_MESSAGE) from None
            raise


class _Lost:
    """An interrupt that fell into a callback, as compilers have them, which cannot pass it on.

    Attributes
    ----------
    pending : bool
        Whether it has fallen and was not raised again.
    """

    def __init__(self):
        self.pending = False

    def repeat(self, unraisable):
        """Raise it once more, a little later; show anything else that a callback loses."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            return sys.__unraisablehook__(unraisable)
        from threading import Timer

        self.pending = True
        return Timer(0.01, self._raise).start()

    def _raise(self):
        self.pending = False
        signal.raise_signal(signal.SIGINT)
