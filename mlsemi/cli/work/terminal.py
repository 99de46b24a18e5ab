"""Who gets standard output, standard error and the exit status.

Standard output belongs to tables, or to JSON alone with ``--json -``. Warnings, progress and
the one line of an error go to standard error.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from mlsemi.errors import MlsemiError

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 120
"""Columns of tables that nobody watches."""
EXTRAS = {
    "pyscf": "reference",
    "tblite": "reference",
    "dask": "cluster",
    "distributed": "cluster",
}
"""Optional dependencies and the extra that installs them."""

BY_SIGNAL = 128
"""Exit status of a program that a signal ends, less the number of the signal."""

ItemT = TypeVar("ItemT")


class Ended(KeyboardInterrupt):
    """The process was asked to end."""


def end_in_order() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does: files are closed or removed."""
    if hasattr(os, "register_at_fork"):  # workers are ended at once
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Ended

    signal.signal(signal.SIGTERM, end)


def say_what_takes_long() -> None:
    """At a terminal, show what the package logs about its own work."""
    if sys.stderr.isatty():
        logger = logging.getLogger("mlsemi")
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def write_anything() -> None:
    """From now on characters that standard output cannot hold are written as escapes."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


class OneLineErrors(TyperGroup):
    """Command group in which every expected failure is one line and exit status 1."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Parse the command line and invoke the command; help that nobody can take is an error."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            try:
                self._output_failed(error)
            except typer.Exit as ending:
                sys.exit(ending.exit_code)

    def invoke(self, ctx: Any) -> Any:
        """Invoke the command."""
        try:
            return super().invoke(ctx)
        except MlsemiError as error:
            fail(str(error))
        except MemoryError:
            fail("not enough memory for this calculation")
        except Ended:
            fail("ended by SIGTERM", BY_SIGNAL + signal.SIGTERM)
        except KeyboardInterrupt:
            fail("interrupted", BY_SIGNAL + signal.SIGINT)
        except OSError as error:
            self._output_failed(error)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                raise
            extra = EXTRAS[package]
            fail(f"this needs {package}, which is optional: pip install 'mlsemi[{extra}]'")

    def _output_failed(self, error: OSError) -> NoReturn:
        drop_unwritten_output()
        if error.errno == errno.EPIPE:  # the reader has gone: end as other programs do, silently
            raise typer.Exit(BY_SIGNAL + 13)
        fail(f"{error.filename or 'output'}: {error.strerror or error}")


def fail(reason: str, status: int = 1) -> NoReturn:
    """Say why on one line of standard error and exit."""
    complain(reason)
    raise typer.Exit(status)


def complain(reason: str) -> None:
    """One error on standard error."""
    _say("error: " + reason)


def note(text: str) -> None:
    """One line on standard error about what was done."""
    _say(text)


def _say(text: str) -> None:
    typer.echo(f"mlsemi: {' '.join(text.split())}", err=True)


def drop_unwritten_output() -> None:
    """Let go of output that cannot be written: Python would try again, and complain, at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(text: str) -> None:
    """One warning on standard error."""
    _say("warning: " + text)


def print_tables(text: str) -> None:
    """Tables of one structure on standard output, followed by an empty line."""
    typer.echo(text + "\n")


def width() -> int | None:
    """Columns of the screen; None if nobody watches."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def console() -> Console:
    """Console on standard output, wide when it is not a terminal."""
    from rich.console import Console

    out = Console()
    return out if out.is_terminal else Console(width=PIPED_WIDTH)


@contextmanager
def lines_sink(
    target: str | None, quiet: bool, kept: Iterable[str] = (), header: str | None = None
) -> Iterator[Callable[[str], None]]:
    """Function that writes one line: nowhere, to standard output, or to a file.

    Parameters
    ----------
    target : str or None
        ``None`` for nowhere, ``-`` for standard output, else a path; the file appears when the
        block ends without an error (:func:`mlsemi.outputs.lines_that_survive`).
    quiet : bool
        Do not say what was written.
    kept : iterable of str
        Lines that an earlier run has finished.
    header : str, optional
        First line of a table.
    """
    from mlsemi.outputs import counted, lines_that_survive

    count = 0

    def emit(line: str) -> None:
        nonlocal count
        write(line)
        count += 1

    def counting() -> Iterator[str]:
        nonlocal count
        for line in kept:
            count += 1
            yield line

    if target is None:
        yield lambda line: None
    elif target == "-":
        write: Callable[[str], None] = typer.echo
        if header is not None:
            write(header)
        yield emit
    else:
        with lines_that_survive(target, note, counting(), header) as write:
            yield emit
        say_written(quiet, target, counted(count, "record"))


def say_written(quiet: bool, path: str | os.PathLike[str] | None, what: str = "") -> None:
    """Say that a file was written, unless there is none or nobody wants to know."""
    if path is not None and not quiet:
        note(f"wrote {path}" + (f" ({what})" if what else ""))


def progress(items: Iterable[ItemT], label: str, quiet: bool, total: int | None) -> Iterator[ItemT]:
    """Iterate with a progress bar on standard error if somebody is watching.

    Parameters
    ----------
    items : iterable
    label : str
        What is counted.
    quiet : bool
        Never show the bar.
    total : int or None
        Number of items; None if nobody knows, then they are counted.
    """
    if quiet or (total is not None and total < 2) or not sys.stderr.isatty():
        yield from items
        return
    with bar(label, total) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def status(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Function that shows what goes on, on a line of standard error if somebody is watching."""
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as shown:
        yield lambda text: shown.update(text)


@contextmanager
def bar(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar, and the function that moves it on by one."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    clock = TimeElapsedColumn() if total is None else TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, clock, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.update(task, advance=1)
