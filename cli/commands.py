"""The command group, and how errors leave it: one line on stderr and an exit code."""

import os
import sys
import warnings

import click

from .cache import cache
from .compare import compare
from .doctor import doctor
from .evaluate import evaluate
from .info import info
from .interrupt import Interrupted, InterruptibleGroup
from .lr_find import lr_find
from .predict import predict
from .recalibrate import recalibrate
from .study import study
from .sweep import sweep
from .trace import trace
from .train import train

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130  # 3 is that of minibn doctor for a fault


@click.group(
    cls=InterruptibleGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="minibn")
@click.pass_context
def cli(context):
    """Batch normalization from the kernel to the conclusion.

    Train small networks with and without batch norm, compare them, look inside them. Results go to stdout,
    progress to stderr.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


for command in (
    train, compare, sweep, lr_find, study, trace, evaluate, predict, doctor, recalibrate, info, cache,
):  # fmt: skip
    cli.add_command(command)


def run():
    """Run the command line and return the exit code.

    0, 1 for a failed run, 2 for wrong usage, 3 for a fault that the doctor found, 130 on Ctrl-C.
    """
    warnings.showwarning = _show_warning
    try:
        return cli(standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        return _fail(f"{error.format_message()} (try '{_path(error)} --help')", WRONG_USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except Interrupted as error:
        click.echo(str(error), err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of stdout left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _fail(_of_the_system(error), FAILED)
    except MemoryError as error:
        return _fail(f"out of memory ({error}); use fewer rows or units", FAILED)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        return _fail(str(error), code)


def _of_the_system(error):
    """Return an error of the system in one line; minibn's own name the file."""
    from minibn.errors import MinibnError

    if isinstance(error, MinibnError):
        return str(error)
    return f"{error.filename or 'file system'}: {error.strerror or error}"


def _exit_code(error):
    """Return the exit code of minibn's own errors, None for a bug."""
    from minibn.errors import DeviceError, MinibnError, MissingExtraError, NonFiniteLossError, WorkerError

    if isinstance(error, DeviceError | NonFiniteLossError | MissingExtraError | WorkerError):
        return FAILED
    return WRONG_USAGE if isinstance(error, MinibnError) else None


def _path(error):
    return error.ctx.command_path if error.ctx else "minibn"


def _fail(message, code):
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    return code


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"Warning: {message}", err=True)
