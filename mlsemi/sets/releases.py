"""Released parameter sets: where they are, and which version a name means."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from mlsemi.errors import ParameterError

DEFAULT = "organic-1"
VERSION = re.compile(r".+-\d+\.\d+")
"""Names of versions: ``organic-1.0``. Once released, a version is never overwritten."""


def folder() -> Path:
    """Where released parameter sets live: inside the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "parameter_sets"
    return installed if installed.is_dir() else package.parent / "parameters"


def available() -> list[str]:
    """Names of the released parameter sets."""
    return sorted(path.parent.name for path in folder().glob("*/header.json"))


def folder_of(name: str | os.PathLike[str]) -> Path:
    """Folder of a released set, or the path of any set.

    A name without minor version means its latest: ``organic-1`` is ``organic-1.3`` if that is last.

    Raises
    ------
    ParameterError
        If there is none.
    """
    for path in (Path(name), folder() / str(name)):
        if os.path.isfile(path / "header.json"):
            return path
    with suppress(ValueError):
        return _latest(folder(), str(name))
    known = ", ".join(available()) or "none"
    raise ParameterError(f"no parameter set {str(name)!r} (available: {known})")


@cache
def _latest(sets: Path, name: str) -> Path:
    """Folder of the latest version of a name; a ValueError, which is not kept, without one."""
    of_name = re.compile(rf"{re.escape(name)}\.\d+")
    versions = [path.parent for path in sets.glob("*/header.json")]
    versions = [path for path in versions if of_name.fullmatch(path.name)]
    return max(versions, key=lambda path: int(path.suffix[1:]))


def check_unreleased(path: Path) -> None:
    """Refuse to write over a version.

    Raises
    ------
    ParameterError
        If the folder holds a set and is named after a version.
    """
    if VERSION.fullmatch(path.name) and os.path.isfile(path / "header.json"):
        raise ParameterError(
            f"{path}: a version is never overwritten; give the recipe another name or output"
        )
