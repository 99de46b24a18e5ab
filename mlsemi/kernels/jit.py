"""The one way a kernel is compiled, and how compiled code is kept on disk.

NumPy error semantics keep the loops free of exceptions. Kernels release the GIL, so calculators in
several threads run side by side. Sums may be taken in the order that suits vector units, the same
one every time.

Compiled code lies where Numba would put it: in ``NUMBA_CACHE_DIR``, beside the source, or in the
cache of the user; else in a temporary folder of the user. The files are our own: Numba's have an
index that two processes may spoil for each other, are trusted as they are, and do not see the
constants of a kernel that was generated, nor, in older versions, what leaves size and time of a
file as they were.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import marshal
import os
import pickle
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.caching import FunctionCache, NullCache
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from mlsemi.errors import InputError
from mlsemi.outputs import complete_or_absent

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "fastmath": {"reassoc", "contract"},
}
N_DIGEST = 32
"""Bytes of the checksum at the head of a file."""

HINT = "neither the folder of mlsemi nor the cache of the user can be written; set NUMBA_CACHE_DIR"

settings: Any = numba.config
_said: set[str] = set()


def kernel(function: Callable[..., Any]) -> Any:
    """A compiled function, its machine code kept for the next process."""
    compiled = njit(**OPTIONS)(function)
    if not settings.DISABLE_JIT:
        compiled._cache = KernelCache(function)
    return compiled


class KernelCache(NullCache):
    """Compiled code of one kernel: a file for every signature.

    A file is named after all that the code depends on, and begins with the checksum of its name
    and the rest. Whatever is wrong with it, the kernel is compiled anew and the file replaced.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.made_from = function, made_from(function)

    @cached_property
    def place(self) -> FunctionCache | None:
        """Numba's cache, which knows where files may lie; looked for when a kernel is called."""
        return _place_of(self.function)

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """Code from an earlier process, None without.

        Numba would first import all that it can compile (a quarter of a short job's time); code
        that is compiled already needs the runtime alone.
        """
        rtsys.initialize(target_context)
        if self.place is None:
            return None
        try:
            file = self._file(sig, target_context.codegen())
            data = file.read_bytes()
            content = data[N_DIGEST:]
            if _checksum(file, content) != data[:N_DIGEST]:
                return None
            return self.place._impl.rebuild(target_context, pickle.loads(content))
        except Exception:  # no file, or one that cannot be used, which can provoke almost any
            _say_that_it_compiles()
            return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep the code; a full or read-only disk is no reason to fail."""
        if self.place is None or not self.place._impl.check_cachable(data):
            return
        content = dumps(self.place._impl.reduce(data))
        file = self._file(sig, data.codegen)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with complete_or_absent(file) as temporary:
                temporary.write_bytes(_checksum(file, content) + content)
        except (InputError, OSError) as error:
            _say_once("compiled code cannot be kept, the next start will compile anew", str(error))

    def _file(self, sig: object, codegen: Any) -> Path:
        assert self.place is not None
        key = repr((numba.__version__, self.made_from, self.place._index_key(sig, codegen)))
        name = hashlib.sha256(key.encode()).hexdigest()[:16]
        return Path(self.place.cache_path, f"{self.place._impl.filename_base}.{name}.nbc")


def _checksum(file: Path, content: bytes) -> bytes:
    return hashlib.sha256(file.name.encode() + content).digest()


def made_from(function: Callable[..., Any]) -> str:
    """Checksum of a kernel's code, of its file, and of this one.

    Kernels call none of another file: a rule that the tests check.
    """
    # where a function was compiled is no part of what it does; version 2 writes equal code equally
    code = marshal.dumps(function.__code__.replace(co_filename=""), 2)
    files = _digest_of(inspect.getfile(function)) + _digest_of(__file__)
    return hashlib.sha256(code + files).hexdigest()


@cache
def _digest_of(file: str) -> bytes:
    return hashlib.sha256(Path(file).read_bytes()).digest()


def _place_of(function: Callable[..., Any]) -> FunctionCache | None:
    """Where code may be kept: a temporary folder if there is no other, None if not even that."""
    with suppress(RuntimeError, OSError):  # of Numba: no folder can be written
        return FunctionCache(function)
    before = settings.CACHE_DIR
    try:
        settings.CACHE_DIR = folder = _temporary_folder()
        place = FunctionCache(function)
    except (RuntimeError, OSError):
        _say_once("compiled code cannot be kept, every start compiles anew", HINT)
        return None
    finally:
        settings.CACHE_DIR = before
    _say_once(f"compiled code is kept in {folder}", HINT)
    return place


def _temporary_folder() -> str:
    """A folder for temporary files that nobody else can write: what lies there will be run.

    Raises
    ------
    OSError
        If there is none.
    """
    owner = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    path = Path(tempfile.gettempdir(), f"mlsemi-{owner}")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if hasattr(os, "getuid") and (
        not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o022
    ):
        raise PermissionError(f"{path} belongs to somebody else")
    return str(path)


@cache
def _say_that_it_compiles() -> None:
    """For those who listen, as the command line does at a terminal."""
    logging.getLogger("mlsemi").info("compiling for this machine, once: ten seconds or so")


def _say_once(text: str, why: str) -> None:
    """One line on standard error, unless the program that imports us logs elsewhere."""
    if text not in _said:
        _said.add(text)
        logging.getLogger("mlsemi").warning("mlsemi: warning: %s: %s", text, why)
