"""xyz and extended xyz: one frame after another, checked line by line.

Comment lines are free text unless they name their columns (``Properties=``); only then does ASE
parse them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from io import StringIO
from itertools import islice

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError, located
from mlsemi.molecule.elements import number_of, symbol
from mlsemi.molecule.wording import Statement, said_in

COLUMNS = re.compile(r"""\bProperties\s*=\s*["']?(\w+:[SRIL]:\d+(?::\w+:[SRIL]:\d+)*)""")
PLAIN = "species:S:1:pos:R:3"
BOHR = re.compile(r"\b(?:bohr|units?\W{1,3}(?:a\.?u|atomic))\b", re.IGNORECASE)
LATTICE = re.compile(r"""\bLattice\s*=\s*["'{\[]([^"'}\]]*)["'}\]]""", re.IGNORECASE)
PBC = re.compile(r"""\bpbc\s*=\s*["'\[{]?\s*([TF01])\w*[\s,]+([TF01])\w*[\s,]+([TF01])""")
QM9 = re.compile(r"\s*gdb\s+\d+\s")
QM9_TAIL = 3
"""Frequencies, SMILES and InChI follow the atoms of a QM9 frame."""

MOST_LINES = 1_000_000_000
"""Of a frame; more are announced by mistake."""

FURTHER = ("fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def split_xyz(lines: Iterator[str]) -> Iterator[str]:
    """Records of an xyz file: each announces its number of atoms; one that does not is the last."""
    for line in lines:
        head = line.strip()
        if not head:
            continue
        count = min(1 + int(head), MOST_LINES) if head.isdecimal() else None
        rest = list(islice(lines, count))
        yield "\n".join([line, *rest])
        if rest and QM9.match(rest[0]):
            for _ in islice(lines, QM9_TAIL):
                pass


def read_xyz(record: str) -> tuple[Atoms, list[Statement]]:
    """One frame and what its comment line says about charge and multiplicity."""
    head, _, rest = record.partition("\n")
    comment, _, body = rest.partition("\n")
    if not head.strip().isdecimal():
        raise InputError(f"expected the number of atoms, found {head.strip()[:40]!r}")
    n_atom = int(head)
    if n_atom == 0:
        raise InputError("the structure has no atoms")
    rows = [line.split() for line in body.split("\n")]
    present = next((i for i, row in enumerate(rows) if not row), len(rows))
    if present < n_atom:
        raise InputError(f"the frame ends after {present} of the {n_atom} atoms announced")
    rows = rows[:n_atom]
    columns = COLUMNS.search(comment)
    said = list(said_in(COLUMNS.sub("", comment), "the comment line"))
    if BOHR.search(comment):
        warnings.warn("the comment line names bohr, but xyz is read as angstrom", stacklevel=2)
    if columns and not columns[1].startswith(PLAIN):
        return _without_info(_extended(comment, rows)), said
    checked = [_row(atom, row) for atom, row in enumerate(rows)]
    if columns and columns[1] != PLAIN:
        named = [
            [symbol(z), *map(repr, x), *row[4:]] for (z, x), row in zip(checked, rows, strict=True)
        ]
        return _without_info(_extended(comment, named)), said
    atoms = Atoms([number for number, _ in checked], [position for _, position in checked])
    _set_cell(atoms, comment)
    if not QM9.match(comment):
        _doubt_columns(rows)
    return atoms, said


def _row(atom: int, row: list[str]) -> tuple[int, list[float]]:
    with located(f"atom {atom}"):
        if len(row) < 4:
            raise InputError(f"expected 'symbol x y z', found {' '.join(row)!r}")
        return number_of(row[0]), [number_in(word) for word in row[1:4]]


def number_in(word: str) -> float:
    """A coordinate, also with an exponent as Fortran or Mathematica (``1.2*^-6``) writes it.

    Raises
    ------
    InputError
        If it is no number.
    """
    try:
        return float(re.sub(r"\*\^|(?<=[\d.])[dD](?=[+\-\d])", "e", word.replace("_", "?")))
    except ValueError:
        raise InputError(f"coordinate {word!r} is not a number") from None


def _extended(comment: str, rows: list[list[str]]) -> Atoms:
    text = "\n".join([str(len(rows)), comment, *(" ".join(row) for row in rows), ""])
    import ase.io  # slow

    found = ase.io.read(StringIO(text), format="extxyz")
    return found if isinstance(found, Atoms) else found[-1]


def _without_info(atoms: Atoms) -> Atoms:
    """The comment line is read for itself, in all its words."""
    atoms.info = {}
    return atoms


def _set_cell(atoms: Atoms, comment: str) -> None:
    if lattice := LATTICE.search(comment):
        try:
            values = [float(word) for word in lattice[1].replace(",", " ").split()]
            atoms.set_cell(np.reshape(values, (3, 3)))
        except ValueError:
            raise InputError(f"Lattice={lattice[1]!r} is not a cell of nine numbers") from None
        pbc = PBC.search(comment)
        atoms.pbc = [flag in "T1" for flag in pbc.groups()] if pbc else True


def _doubt_columns(rows: list[list[str]]) -> None:
    """Warn about columns that may hold the charges of the atoms of an ion."""
    if len(rows) < 2:
        return
    for name, column in zip(FURTHER, list(zip(*rows, strict=False))[4:], strict=False):
        try:
            total = sum(float(word) for word in column)
        except ValueError:
            continue
        if 0.9 < abs(total) < 9.1 and abs(total - round(total)) < 0.05:
            text = f"the {name} column, which adds up to {total:.2f}, is not read as charges"
            warnings.warn(text, stacklevel=2)
