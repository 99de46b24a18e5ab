"""What an earlier run has finished, read from the files it has left."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

from mlsemi.draw.summary import COLUMNS
from mlsemi.errors import InputError
from mlsemi.molecule.elements import formula
from mlsemi.molecule.formats import Frame
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import partial_of

Key = tuple[str, int]
"""File as given and number of the frame."""


def checksum_of(structure: Structure) -> str:
    """Eight letters that tell structures apart: atoms, coordinates, charge, multiplicity."""
    digest = sha256(structure.numbers.tobytes() + structure.positions.tobytes())
    digest.update(f"{structure.charge} {structure.multiplicity}".encode())
    return digest.hexdigest()[:8]


@dataclass(frozen=True, eq=False)
class Done:
    """Structures that need not be computed again.

    Attributes
    ----------
    known : dict
        Checksum of each, or its formula where only a summary has it.
    json_output, summary : Path or None
        Files that the earlier run has left.
    """

    known: dict[Key, str]
    json_output: Path | None
    summary: Path | None

    @classmethod
    def of(
        cls,
        json_output: str | None,
        summary: str | os.PathLike[str] | None,
        requested: dict[str, Any],
        parameters: str,
    ) -> Done:
        """What stands in all outputs that are wanted.

        Parameters
        ----------
        json_output, summary : path or None
            Outputs of the run.
        requested : dict
            What is asked for now.
        parameters : str
            Checksum of the parameter set.

        Raises
        ------
        InputError
            If a file holds something else than records of the same run.
        """
        kept: list[dict[Key, str]] = []
        lines, rows = (None if to is None else left_by(to) for to in (json_output, summary))
        if json_output is not None:
            kept.append(dict(_records(lines, requested, parameters)))
        if summary is not None:
            kept.append(dict(_rows(rows)))
        both = set(kept[0]).intersection(*kept) if kept else set()
        return cls({key: kept[0][key] for key in both}, lines, rows)

    def lines(self) -> Iterator[str]:
        """Lines of JSON of what is done."""
        for line in complete_lines(self.json_output):
            source = json.loads(line)["source"]
            if (source["file"], source["frame"]) in self.known:
                yield line

    def rows(self) -> Iterator[str]:
        """Rows of the summary of what is done."""
        for row in csv.DictReader(complete_lines(self.summary)):
            if row["frame"] and (row["file"], int(row["frame"])) in self.known:
                yield csv_line(list(row.values()))

    def has(self, frame: Frame) -> bool:
        """Whether a frame is done.

        Raises
        ------
        InputError
            If the one that is done was another structure.
        """
        known = self.known.get((frame.file, frame.index))
        if known is None:
            return False
        if known not in (checksum_of(frame.structure), formula(frame.structure.symbols)):
            raise InputError(
                f"{frame.label}: --resume: an earlier run has computed another structure of this "
                "name; remove its output, or give another"
            )
        return True


def left_by(path: str | os.PathLike[str]) -> Path | None:
    """Where an earlier run has left what it has finished of an output; None if it has not."""
    for candidate in (partial_of(path), Path(path)):
        if candidate.is_file() and candidate.stat().st_size:
            return candidate
    return None


def csv_line(cells: Sequence[Any]) -> str:
    """One row of a table, in which nothing is a line break."""
    with StringIO(newline="") as stream:
        csv.writer(stream, lineterminator="").writerow([" ".join(str(c).split()) for c in cells])
        return stream.getvalue()


def complete_lines(path: Path | None) -> Iterator[str]:
    """Lines of a file; the last is left out if it was cut, all of them if there is no file."""
    if path is None:
        return
    with open(path, encoding="utf-8", newline="\n") as stream:
        for line in stream:
            if line.endswith("\n"):
                yield line[:-1]


def _records(
    found: Path | None, requested: dict[str, Any], parameters: str
) -> Iterator[tuple[Key, str]]:
    """Keys and checksums of the records of an output."""
    for number, line in enumerate(complete_lines(found)):
        try:
            record = json.loads(line)
            source, set_of = record["source"], record["parameters"]["checksum"]
            key = (source["file"], source["frame"])
            checksum = source["checksum"]
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{found}, line {number}: --resume: no record of an earlier run"
            ) from None
        if record.get("requested", {}) != requested or set_of != parameters:
            raise InputError(
                f"{found}: --resume: the earlier run asked for something else "
                f"({record.get('requested') or 'no options'}, parameters {set_of[:8]})"
            )
        yield key, checksum


def _rows(found: Path | None) -> Iterator[tuple[Key, str]]:
    """Keys and formulas of the rows of a summary; those of failures are tried again."""
    if found is None:
        return
    table = csv.DictReader(complete_lines(found))
    if tuple(table.fieldnames or ()) != COLUMNS:
        raise InputError(f"{found}: --resume: no summary of an earlier run")
    for row in table:
        if not row["error"]:
            yield (row["file"], int(row["frame"])), row["formula"]
