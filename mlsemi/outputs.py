"""Output files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlsemi.errors import InputError


@contextmanager
def complete_or_absent(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Temporary path to write; it takes the name ``path`` only when the block succeeds.

    The temporary file is created on entry, so that an output that cannot be written is found
    before the work is done. Devices and pipes are written directly, symbolic links followed.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    direct = target.exists() and not target.is_file()
    temporary = target if direct else target.with_name(f".{target.name}.{os.getpid()}.writing")
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is read-only")
        with open(temporary, "ab"):
            pass
        yield temporary
        if not direct:
            os.replace(temporary, target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if not direct:
            with suppress(OSError):
                temporary.unlink()


def check_distinct(
    inputs: Sequence[str | os.PathLike[str]], outputs: Sequence[str | os.PathLike[str] | None]
) -> None:
    """Refuse an output that is an input or another output; devices, ``-`` and None are neither.

    Raises
    ------
    InputError
        Naming the output.
    """
    seen = {os.path.realpath(path) for path in inputs}
    for path in outputs:
        if path is None or str(path) == "-":
            continue
        real = os.path.realpath(path)
        if os.path.exists(real) and not os.path.isfile(real):
            continue
        if real in seen:
            raise InputError(f"{path}: cannot be two files at once, inputs included")
        seen.add(real)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the InputError of :func:`complete_or_absent` now; leaves nothing behind."""
    with suppress(_Untouched), complete_or_absent(path):
        raise _Untouched


class _Untouched(Exception):
    """Leaves :func:`complete_or_absent` without writing."""
