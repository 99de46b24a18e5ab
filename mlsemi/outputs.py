"""Output files that appear complete or not at all; streams of which finished lines survive."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from mlsemi.errors import InputError, OutputError

LONGEST_NAME = 255
"""Bytes that file systems allow for the name of a file."""

COMPRESSED = (".gz", ".bz2", ".xz")


@contextmanager
def complete_or_absent(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Temporary path to write; it takes the name ``path`` only when the block succeeds.

    The temporary file is created on entry, so that an output that cannot be written is found
    before the work is done; what killed processes have left of the same output is removed.
    Devices and pipes are written directly, symbolic links followed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = _target(path)
    direct = is_direct(target)
    temporary = target if direct else _beside(target, f".{os.getpid()}.writing", hidden=True)
    with _said_of(path):
        try:
            _check_access(target)
            with open(temporary, "ab"):
                pass
            if not direct:
                _remove_leftovers(target)
            yield temporary
            if not direct:
                os.replace(temporary, target)
        finally:
            if not direct:
                with suppress(OSError):
                    temporary.unlink()


@contextmanager
def lines_that_survive(
    path: str | os.PathLike[str],
    tell: Callable[[str], None],
    kept: Iterable[str] = (),
    header: str | None = None,
) -> Iterator[Callable[[str], None]]:
    """Function that writes one line of a file, which gets its name when the block succeeds.

    Until then the lines stand in ``PATH.partial``, each complete as soon as it is written. If the
    block fails, or the process is killed, they stay there. Devices are written directly.

    Parameters
    ----------
    path : path
    tell : function of a text
        Called with what is left of a block that fails.
    kept : iterable of str
        Lines to begin with; they may come from the file itself, or its ``.partial``.
    header : str, optional
        Line above all others, which is no record.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    target = _target(path)
    direct = is_direct(target)
    partial = target if direct else partial_of(path)
    count = size = 0

    def write(line: str) -> None:
        nonlocal count, size
        data = line.encode() + b"\n"
        with _said_of(path):
            written = 0
            while written < len(data):
                written += stream.write(data[written:])
        count, size = count + 1, size + len(data)

    with _said_of(path):
        _check_access(target)
        count, size = _begun(partial, target, kept, header)
        stream = open(partial, "ab", buffering=0)  # noqa: SIM115 (closed below, on either way)
    if not direct:
        _remove_leftovers(target)
    try:
        with stream:
            yield write
        if not direct:
            with _said_of(path):
                os.replace(partial, target)
    except BaseException:
        if not direct:
            if count:
                os.truncate(partial, size)  # a line may have been cut
                beside = Path(path).with_name(partial.name)
                tell(f"{beside} holds the {counted(count, 'record')} finished before")
            else:
                with suppress(OSError):
                    partial.unlink()
        raise


def partial_of(path: str | os.PathLike[str]) -> Path:
    """Where the lines of a file stand until all are there."""
    return _beside(_target(path), ".partial", hidden=False)


def _begun(partial: Path, target: Path, kept: Iterable[str], header: str | None) -> tuple[int, int]:
    """Write what a file begins with; numbers of its lines less the header, and of bytes."""
    direct = is_direct(target)
    temporary = target if direct else _beside(target, f".{os.getpid()}.writing", hidden=True)
    count = 0
    try:
        with open(temporary, "wb") as stream:
            if header is not None:
                stream.write(header.encode() + b"\n")
            for line in kept:
                stream.write(line.encode() + b"\n")
                count += 1
            size = stream.tell() if not direct else 0
        if not direct:
            os.replace(temporary, partial)
    finally:
        if not direct:
            with suppress(OSError):
                temporary.unlink()
    return count, size


@contextmanager
def folder(path: Path) -> Iterator[None]:
    """A folder for outputs: made if there is none, gone again if the block fails without any.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    made = [part for part in (path, *path.parents) if not part.exists()]
    with _said_of(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for part in made:
                part.rmdir()
        raise


def stem_of(file: str | os.PathLike[str]) -> str:
    """Name of a file less its compression and its last extension: of ``a.1.xyz.gz``, ``a.1``.

    It leaves room for an ending.
    """
    path = Path(file)
    stem = Path(path.stem if path.suffix in COMPRESSED else path.name).stem
    return os.fsdecode(os.fsencode(stem)[: LONGEST_NAME - 40])


def counted(number: int, noun: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def is_direct(path: Path) -> bool:
    """Whether a path is a device or a pipe, which can only be written to as it stands."""
    return path.exists() and not path.is_file()


@contextmanager
def _said_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the system says of an output into one line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _check_access(target: Path) -> None:
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise OSError(None, "its name is too long")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(None, "it is read-only")
    if target.is_dir():
        raise IsADirectoryError(None, "it is a folder")


def _beside(target: Path, ending: str, hidden: bool) -> Path:
    """Neighbour of a file; a name that would become too long is cut and told apart by its hash."""
    name = ("." if hidden else "") + target.name
    room = LONGEST_NAME - len(ending) - 16  # a process number has at most 7 digits more
    if len(os.fsencode(name)) > room:
        digest = sha256(os.fsencode(name)).hexdigest()[:8]
        name = os.fsencode(name)[: room - 9].decode(errors="ignore") + "-" + digest
    return target.with_name(name + ending)


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files of one output whose processes are dead."""
    mine = _beside(target, f".{os.getpid()}.writing", hidden=True)
    stem = mine.name.removesuffix(f".{os.getpid()}.writing")
    pattern = re.compile(re.escape(stem) + r"\.(\d+)\.writing")
    for name in os.listdir(target.parent):
        match = pattern.fullmatch(name)
        if match and not _alive(int(match[1])):
            with suppress(OSError):
                target.with_name(name).unlink()


def _alive(process: int) -> bool:
    """Whether a process of this machine is running; where that cannot be known, it is."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


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


def _target(path: str | os.PathLike[str]) -> Path:
    """The file itself, behind symbolic links; a pipe or device as it is named."""
    named = Path(path)
    return named if is_direct(named) else Path(os.path.realpath(named))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the OutputError of :func:`complete_or_absent` now; leaves nothing behind."""
    with suppress(_Untouched), complete_or_absent(path):
        raise _Untouched


class _Untouched(Exception):
    """Leaves :func:`complete_or_absent` without writing."""
