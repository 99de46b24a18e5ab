"""Records of arrays that a prompt shows in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

LONGEST = 60
"""Characters of a list that is shown."""


def one_line(record: Any) -> str:
    """Name of the class and every field of a dataclass or named tuple, arrays by their shape."""
    names = getattr(record, "_fields", None) or [field.name for field in fields(record)]
    shown = (f"{name}={_brief(getattr(record, name))}" for name in names)
    return f"{type(record).__name__}({', '.join(shown)})"


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        if hasattr(value, "_fields"):
            return one_line(value)
        text = repr(value) if len(value) <= 4 else ""
        return text if 0 < len(text) <= LONGEST else f"{type(value).__name__} of {len(value)}"
    return repr(value)


class Brief:
    """Base of dataclasses (with ``repr=False``) that are shown in one line."""

    __repr__ = one_line
