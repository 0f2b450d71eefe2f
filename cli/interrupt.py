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
        key = _Key()
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, key.press)
        sys.unraisablehook = key.repeat
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            raise Interrupted(_MESSAGE) from None
        except Exception:
            if key.lost:  # it is the compiler's complaint that its callback came to nothing
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                raise Interrupted(_MESSAGE) from None
            raise


class _Key:
    """What becomes of Ctrl-C, which may fall into a callback, as compilers have them, that cannot pass it on.

    Attributes
    ----------
    pressed : bool
    lost : bool
        Whether it fell into a callback and was not raised again.
    """

    def __init__(self):
        self.pressed = self.lost = False

    def press(self, signum, frame):
        """Raise KeyboardInterrupt."""
        self.pressed = True
        raise KeyboardInterrupt

    def repeat(self, unraisable):
        """Raise a lost KeyboardInterrupt once more, a little later; show anything else, unless it came of one."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            from threading import Timer

            self.lost = True
            Timer(0.01, self._raise).start()
        elif not self.pressed:
            sys.__unraisablehook__(unraisable)

    def _raise(self):
        self.lost = False
        signal.raise_signal(signal.SIGINT)
