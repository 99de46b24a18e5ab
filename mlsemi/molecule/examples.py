"""Structures that come with the program, by name: ``example:caffeine``."""

from __future__ import annotations

from pathlib import Path

from mlsemi.errors import InputError

PREFIX = "example:"


def folder() -> Path:
    """Where they live: inside the package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "examples"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "docs" / "examples"


def names() -> list[str]:
    """Names of all of them."""
    return sorted(path.stem for path in folder().glob("*.xyz"))


def path_of(name: str) -> Path:
    """File of a name.

    Raises
    ------
    InputError
        With the names there are.
    """
    path = folder() / f"{name}.xyz"
    if name not in names():
        raise InputError(f"no example {name!r}; there are {', '.join(names())}")
    return path
