"""Recipes and manifests: what people write in TOML, and the first mistake in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlsemi.errors import InputError


def toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds.

    Raises
    ------
    InputError
        If it is missing or not TOML.
    """
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib  # type: ignore[no-redef]
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def first_mistake(error: ValidationError) -> str:
    """The first mistake in a line: where, what is there, what is needed."""
    first = error.errors(include_url=False)[0]
    place = [f"{step + 1}" if isinstance(step, int) else step for step in first["loc"]]
    where = " ".join(step for step in place if step.isidentifier() or step.isdigit())
    need = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = first["input"]
    shown = "" if isinstance(given, dict | list | tuple) else f" = {given!r}"
    return f"{where}{shown}: {need}" if where else need
