"""From a number and its limit to a verdict: the table of limits and the rows of the judge.

A figure is an error, a ratio of times or a count: smaller is better in every row. `judge.toml`
holds a table for each parameter set, and one (`every`) of what any set must fulfil; tables are cut
into groups, each measured by one function of `measured.py`. An entry is

    "row" = { figure = 0.044, limit = 0.047 }   # measured when released; more than limit fails
    "row" = { known = 7.3, limit = 1.0 }        # fails today; more than known is worse, and fails

and a known row that falls below its limit is said to be mended, so that it becomes an ordinary one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EVERY = "every"
PASSES = ("ok", "known", "mended", "refused")
"""All other verdicts fail."""


@dataclass(frozen=True)
class Limit:
    """What is stored of one row.

    Attributes
    ----------
    figure : float
        Measured when the entry was written.
    limit : float
        What a good set does not exceed.
    known : bool
        Whether the row exceeds its limit today, and may until it is mended.
    """

    figure: float
    limit: float
    known: bool = False

    @classmethod
    def of_entry(cls, entry: Mapping[str, float]) -> Limit:
        """From the table: keys ``limit`` and one of ``figure`` and ``known``.

        Raises
        ------
        ValueError
            If other keys are there, or the figure lies on the wrong side of the limit.
        """
        (key,) = set(entry) - {"limit"}
        if key not in ("figure", "known") or "limit" not in entry:
            raise ValueError(f"a row has limit and figure, or limit and known, not {dict(entry)}")
        out = cls(float(entry[key]), float(entry["limit"]), key == "known")
        if out.known != (out.figure > out.limit):
            raise ValueError(f"{key} {out.figure:g} does not go with limit {out.limit:g}")
        return out

    def verdict(self, value: float | None) -> str:
        """What a measured value means; None where the program refused to compute it."""
        if value is None:
            return "refused" if self.known else "REFUSED"
        if value <= self.limit:
            return "mended" if self.known else "ok"
        if not self.known:
            return "ABOVE LIMIT"
        return "known" if value <= self.figure else "WORSE"


@dataclass(frozen=True)
class Row:
    """One line of the judgement.

    Attributes
    ----------
    name : str
        Group and row.
    old, new, limit : float or None
        None where there is none.
    verdict : str
    """

    name: str
    old: float | None
    new: float | None
    limit: float | None
    verdict: str

    @property
    def passes(self) -> bool:
        """Whether the row is as it should be."""
        return self.verdict in PASSES


Limits = dict[str, dict[str, Limit]]
"""Group, row."""
Values = Mapping[str, Mapping[str, float] | None]
"""Group, row; None for a whole group that the program refused."""


def load(path: Path, name: str, default: str) -> Limits:
    """Limits of a set and of every set; a set without a table has that of ``default``."""
    with path.open("rb") as file:
        tables = tomllib.load(file)
    return {
        group: {row: Limit.of_entry(entry) for row, entry in rows.items()}
        for part in (EVERY, name if name in tables else default)
        for group, rows in tables[part].items()
    }


def judge(limits: Limits, values: Values, other: Values | None = None) -> list[Row]:
    """A row for each limit and each value of the groups that were measured.

    Parameters
    ----------
    limits : dict
    values : mapping
        Of the set that is judged. A limit without a value fails, and a value without a limit.
    other : mapping or None
        Of another set, shown as the old values instead of the stored figures.
    """
    rows = []
    for group, found in values.items():
        wanted = limits.get(group, {})
        for name in dict.fromkeys([*wanted, *(found or {})]):
            limit = wanted.get(name)
            if limit is None:
                new, verdict = (found or {})[name], "NO LIMIT"
            elif found is None:
                new, verdict = None, limit.verdict(None)
            elif name not in found:
                new, verdict = None, "MISSING"
            else:
                new, verdict = found[name], limit.verdict(found[name])
            old = limit.figure if limit else None
            if other is not None:
                old = (other.get(group) or {}).get(name)
            rows.append(Row(f"{group}: {name}", old, new, limit and limit.limit, verdict))
    return rows


def text(rows: list[Row]) -> str:
    """The rows as aligned lines: name, old, new, limit, verdict."""
    head = ("row", "old", "new", "limit", "verdict")
    cells = [head, *((r.name, *map(_number, (r.old, r.new, r.limit)), r.verdict) for r in rows)]
    width = [max(len(line[k]) for line in cells) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width[k]) if 0 < k < 4 else cell.ljust(width[k])
            for k, cell in enumerate(line)
        ).rstrip()
        for line in cells
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
