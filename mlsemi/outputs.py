"""Output files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the InputError of :func:`complete_or_absent` now; leaves nothing behind."""
    with suppress(_Untouched), complete_or_absent(path):
        raise _Untouched


class _Untouched(Exception):
    """Leaves :func:`complete_or_absent` without writing."""
