"""Who gets standard output, standard error and the exit status.

Standard output belongs to tables, or to JSON alone with ``--json -``. Warnings, progress and
the one line of an error go to standard error.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    "rdkit": "reference",
    "tblite": "reference",
    "dask": "cluster",
    "distributed": "cluster",
}
"""Optional dependencies and the extra that installs them."""

ItemT = TypeVar("ItemT")


class OneLineErrors(TyperGroup):
    """Command group in which every expected failure is one line and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        """Invoke the command."""
        try:
            return super().invoke(ctx)
        except MlsemiError as error:
            fail(str(error))
        except MemoryError:
            fail("not enough memory for this calculation")
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has gone: no error of ours
                raise
            drop_unwritten_output()
            fail(f"{error.filename or 'output'}: {error.strerror or error}")
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                raise
            extra = EXTRAS[package]
            fail(f"this needs {package}, which is optional: pip install 'mlsemi[{extra}]'")


def fail(reason: str) -> NoReturn:
    """Say why on one line of standard error and exit with status 1."""
    typer.echo(f"mlsemi: error: {' '.join(reason.split())}", err=True)
    raise typer.Exit(1)


def drop_unwritten_output() -> None:
    """Let go of output that cannot be written: Python would try again, and complain, at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(text: str) -> None:
    """One warning on standard error."""
    typer.echo(f"mlsemi: warning: {' '.join(text.split())}", err=True)


def console() -> Console:
    """Console on standard output, wide when it is not a terminal."""
    from rich.console import Console

    out = Console()
    return out if out.is_terminal else Console(width=PIPED_WIDTH)


@contextmanager
def json_sink(target: str | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Function that writes one record as a line: nowhere, to standard output, or to a file.

    Parameters
    ----------
    target : str or None
        ``None`` for nowhere, ``-`` for standard output, else a path; the file appears when the
        block ends without an error.
    """
    from mlsemi.outputs import complete_or_absent
    from mlsemi.report import json_line

    if target is None:
        yield lambda record: None
    elif target == "-":
        yield lambda record: typer.echo(json_line(record))
    else:
        with complete_or_absent(target) as temporary, open(temporary, "w") as stream:
            yield lambda record: typer.echo(json_line(record), file=stream)


def progress(items: Sequence[ItemT], label: str, quiet: bool) -> Iterator[ItemT]:
    """Iterate with a progress bar on standard error if somebody is watching.

    Parameters
    ----------
    items : sequence
    label : str
        What is counted.
    quiet : bool
        Never show the bar.
    """
    if quiet or len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, label, console=Console(stderr=True), transient=True)
