"""The command group, and how errors leave it: one line on stderr and an exit code."""

import os
import sys
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before Numba loads: waiting threads must not spin

import click

from .compare import compare
from .evaluate import evaluate
from .info import info
from .predict import predict
from .trace import trace
from .train import train

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="minibn")
@click.pass_context
def cli(context):
    """Batch normalization from the kernel to the conclusion.

    Train small networks with and without batch norm, compare them, look inside them. Results go to stdout,
    progress to stderr.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (train, compare, trace, evaluate, predict, info):
    cli.add_command(command)


def main():
    """Run the command line and exit: 0, 1 for a failed run, 2 for wrong usage, 130 on Ctrl-C."""
    warnings.showwarning = _show_warning
    sys.exit(_run())


def _run():
    try:
        return cli(standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        return _fail(f"{error.format_message()} (try '{_path(error)} --help')", WRONG_USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of stdout left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}", FAILED)
    except MemoryError as error:
        return _fail(f"out of memory ({error}); use fewer rows or units", FAILED)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        return _fail(str(error), code)


def _exit_code(error):
    """Return the exit code of minibn's own errors, None for a bug."""
    from minibn.errors import MinibnError, MissingExtraError, NonFiniteLossError

    if isinstance(error, NonFiniteLossError | MissingExtraError):
        return FAILED
    return WRONG_USAGE if isinstance(error, MinibnError) else None


def _path(error):
    return error.ctx.command_path if error.ctx else "minibn"


def _fail(message, code):
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return code


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"Warning: {message}", err=True)
